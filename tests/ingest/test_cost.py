"""What ingest may cost a photograph: things done once are done once."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save
from PIL import Image

from anomaly_gan.core.files import json_text, sha256_bytes, sync_folder, write_json, write_one_of_many
from anomaly_gan.core.masks import encode_rle
from anomaly_gan.ingestion import guarded, image_files
from anomaly_gan.ingestion.image_files import open_image, plain_png
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import boxed_components, decode_mask


def png(pixels: np.ndarray, **told: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **told)
    return stream.getvalue()


def test_an_ordinary_png_is_decoded_once_and_not_by_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 20:30] = 255
    for n in range(3):
        save(tmp_path / f"s/crack/{n}.png", photo(n))
        save(tmp_path / f"s/crack/{n}_mask.png", mask)
        save(tmp_path / f"s/good/{n}.png", photo(10 + n))
    decoded: list[str] = []
    real = image_files.read_back
    monkeypatch.setattr(
        image_files, "read_back", lambda content, gray: (decoded.append(sha256_bytes(content)), real(content, gray))[1]
    )

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Pillow was asked")

    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(guarded, "FORKS", False)  # what the worker does, where it can be counted
    assert len(ingest(tmp_path / "s", tmp_path / "out").images) == 6
    assert len(decoded) == 9


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)])
def test_the_short_way_sees_what_the_long_way_sees(shape: tuple[int, ...]) -> None:
    content = png(photo(3, shape))
    short = plain_png("a.png", content)
    image, _ = open_image("a.png", content, Notes())
    np.testing.assert_array_equal(short, np.asarray(image))
    assert plain_png("a.jpg", content) is None and plain_png("a.png", content[:-20]) is None
    broken = bytearray(content)
    broken[60] ^= 1
    assert plain_png("a.png", bytes(broken)) is None
    assert plain_png("a.png", png(photo(3, shape), exif=b"Exif\0\0II*\0")) is None
    assert plain_png("a.png", png(photo(3) > 100)) is None


def test_a_mask_is_read_alike_either_way() -> None:
    mask = (photo(4) > 250).astype(np.uint8) * 255
    long = io.BytesIO()
    Image.fromarray(mask).save(long, "BMP")
    np.testing.assert_array_equal(
        decode_mask("a.png", png(mask), Notes()), decode_mask("a.bmp", long.getvalue(), Notes())
    )


@pytest.mark.parametrize("seed", range(6))
def test_parts_of_a_mask_lie_where_they_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 50), np.uint8)
    top, left = rng.integers(0, 30, 2)
    mask[top : top + 9, left : left + 12] = rng.random((9, 12))[: 40 - top, : 50 - left] < 0.4
    parts = list(boxed_components("m.png", mask))
    np.testing.assert_array_equal(sum((part for part, _ in parts), np.zeros_like(mask)), mask)
    for part, (x, y, w, h) in parts:
        assert part[y : y + h, x : x + w].sum() == part.sum() and encode_rle(part)["size"] == [40, 50]
    assert not list(boxed_components("m.png", np.zeros((40, 50), np.uint8)))


def test_one_of_many_is_whole_or_absent(tmp_path: Path) -> None:
    write_one_of_many(tmp_path / "a/b.png", b"12")
    sync_folder(tmp_path / "a")
    assert [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "a").iterdir()] == [("b.png", 0o644)]


def test_a_large_json_is_written_without_its_text_in_memory(tmp_path: Path) -> None:
    rows = [{"id": number, "bbox": [1, 2, 3, 4], "name": "dent"} for number in range(5000)]
    tracemalloc.start()
    try:
        write_json(tmp_path / "a.json", {"rows": rows})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    written = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert written == json_text({"rows": rows})
    assert most < len(written) / 3
