"""What a label file or the copy in it may cost, and near copies of one photograph, which are one object."""

from __future__ import annotations

import base64
import json
import resource
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from broken_files import chunk, jpg, labelme, pixels, png, put, shape, sound_coco, sound_labelme, with_header

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run
from anomaly_gan.ingestion.suggest import suggest

SECONDS, KIB = 1.5, 300 * 1024
"""What refusing may cost beyond the sound files beside it: processor time, and growth of the resident memory."""


def ingest(source: Path, out: Path, **settings) -> tuple[dict, list[dict], float, int]:
    """(metrics, refusals, seconds of processor time, growth of memory in KiB) of an ingest."""
    memory, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    metrics = run(IngestConfig(root=str(source), max_bad=0.9, **settings), Context(seed=0), out)
    spent = time.process_time() - begun
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    rows = [json.loads(line) for line in (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    return metrics, [row for row in rows if row["outcome"] == "rejected"], spent, grown


def zipped_bomb() -> bytes:
    """80 megapixels of nothing in 80 kB: a PNG whose every chunk is sound."""
    rows = zlib.compressobj()
    data = b"".join(rows.compress(bytes(80_001)) for _ in range(1000)) + rows.flush()
    with_size = with_header(80_000, 1000)
    head = with_size[: with_size.index(b"IDAT") - 4]
    return head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMBS = {
    "400 megapixels": lambda: with_header(20_000, 20_000),
    "a side beyond every reader": zipped_bomb,
    "text that unpacks to 100 MB": lambda: (
        png(pixels(7))[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8))) + png(pixels(7))[33:]
    ),
}


@pytest.mark.parametrize("name", list(BOMBS))
@pytest.mark.parametrize("beside", [True, False], ids=["beside the photograph", "instead of it"])
def test_a_bomb_in_image_data_is_refused_at_no_cost(tmp_path, name, beside):
    source = tmp_path / "source"
    sound_labelme(source)
    if beside:
        put(source / "bad.jpg", jpg(9))
    put(source / "bad.json", labelme("bad.jpg", shape(), imageData=base64.b64encode(BOMBS[name]()).decode()))
    metrics, refused, spent, grown = ingest(source, tmp_path / "out")
    assert metrics["accepted"] == 3 and len(refused) == 1
    assert refused[0]["code"] in {"C4", "A17", "A18", "C3"} and "bad." in refused[0]["file"], refused
    assert spent < SECONDS and grown < KIB, (spent, grown)


@pytest.mark.parametrize("kind", ["labelme", "coco"])
def test_a_label_file_of_gigabytes_is_refused_unread(tmp_path, kind):
    source = tmp_path / "source"
    (sound_labelme if kind == "labelme" else sound_coco)(source)
    big = source / ("0.json" if kind == "labelme" else "annotations.json")
    with big.open("r+b") as stream:
        stream.truncate(3 * 2**30)  # sparse: no disk is used
    memory, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    if kind == "labelme":
        metrics, refused, *_ = ingest(source, tmp_path / "out")
        assert [row["code"] for row in refused] == ["A17"] and metrics["accepted"] == 2
    else:
        with pytest.raises(InputError, match=r"annotations\.json: A17: has 3221225472 bytes"):
            ingest(source, tmp_path / "out", format="coco")
    assert time.process_time() - begun < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < KIB


@pytest.mark.parametrize(
    "text",
    [
        '{"shapes": [' + '{"label": "a", "points": [[1, 2]]},' * 60_000,
        "[" * 2_000_000,
        '{"shapes": [1' + "0" * 2_000_000,
    ],
    ids=["cut off", "deep", "a number of two million digits"],
)
def test_a_label_file_that_is_no_json_costs_no_second(tmp_path, text):
    sound_labelme(tmp_path / "source")
    put(tmp_path / "source" / "1.json", text)
    _, refused, spent, grown = ingest(tmp_path / "source", tmp_path / "out", format="labelme")
    assert [row["code"] for row in refused] == ["C14"] and spent < SECONDS and grown < KIB


def surface(rng: np.random.Generator) -> np.ndarray:
    fine = cv2.GaussianBlur(rng.normal(0, 1, (150, 160)), (0, 0), 1.5)
    return (128 + 60 * fine / fine.std()).clip(0, 255).astype(np.uint8)


def test_re_encoded_cropped_and_mirrored_copies_never_cross_a_split(tmp_path):
    """Nobody named objects, so each photograph would be its own; by the proposed table its near copies go with it."""
    rng, source = np.random.default_rng(0), tmp_path / "source"
    for part in range(6):
        plain = surface(rng)
        coded = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, 50])[1].tobytes()
        for name, content in {
            f"{part}_a.png": png(plain),
            f"{part}_b.jpg": coded,
            f"{part}_c.png": png(np.ascontiguousarray(plain[1:, 1:])),
            f"{part}_d.png": png(np.ascontiguousarray(plain[:, ::-1])),
        }.items():
            put(source / "good" / name, content)
    suggest(IngestConfig(root=str(source), format="mask-png"), tmp_path / "groups.csv")
    ingest(source, tmp_path / "out", format="mask-png", groups=str(tmp_path / "groups.csv"))
    images = load_dataset(tmp_path / "out").images
    of_part = {(Path(image.file_name).name[0], image.group_id, image.split) for image in images}
    assert len(images) == 24 and len(of_part) == 6 and len({group for _, group, _ in of_part}) == 6
