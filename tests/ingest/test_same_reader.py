"""One reader behind every verb: what ingest makes of a file, paint, one-class and detect make of it too."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, save
from PIL import Image
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_file
from anomaly_gan.core.images import read_pixels, to_mode
from anomaly_gan.ingestion.classes import read_classes
from anomaly_gan.ingestion.ledger import Ledger, Notes
from anomaly_gan.ingestion.photographs import list_photographs
from anomaly_gan.ingestion.reading import ReadingConfig
from anomaly_gan.synthesis.methods.copy_paste.donors import Donors
from anomaly_gan.synthesis.paint.config import PaintConfig
from anomaly_gan.synthesis.paint.user_files import in_its_frame, read_mask, read_photograph
from detection.data import CategoryMap, read_resized
from detection.dense.photographs import Photographs
from detection.one_class.inspection.checkpoint import Model
from detection.one_class.inspection.images import View
from detection.one_class.inspection.normals import Grouping, gather
from detection.one_class.inspection.score import squares_in_batches
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector

KNOWN = ["a", "b"]


def class_map() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 5:20], mask[20:30, 5:20], mask[5:15, 40:50] = 1, 2, 255
    return mask


def test_paint_reads_class_maps_as_ingest_does(tmp_path: Path) -> None:
    save(tmp_path / "m.png", class_map())
    with pytest.raises(InputError, match=r"B14.*--classes"):
        read_mask(tmp_path / "m.png", "a", KNOWN)
    classes = read_classes("1=a,2=b,255=ignore", tmp_path, ())
    instances, _ = read_mask(tmp_path / "m.png", None, KNOWN, classes=classes)
    assert [(name, int(part.sum())) for name, part in instances] == [("a", 150), ("b", 150)]
    with pytest.raises(InputError, match="C11: a mask picture does not say"):
        read_mask(tmp_path / "m.png", None, KNOWN, classes=read_classes("1=*,2=b,255=ignore", tmp_path, ()))
    with pytest.raises(InputError, match="C11: the model knows no 'c'"):
        read_mask(tmp_path / "m.png", None, KNOWN, classes=read_classes("1=c,2=b,255=ignore", tmp_path, ()))


def test_a_photograph_among_masks_is_refused_by_paint_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
    save(tmp_path / "m.png", noise)
    with pytest.raises(InputError, match="B16"):
        read_mask(tmp_path / "m.png", "a", KNOWN)


SIDE = 32
"""Pixels: photographs of a detector's own size are its squares, so what it sees can be compared."""


def awkward(root: Path) -> Path:
    """Gray photographs, plain ones and of every kind that is easily misread, one in colour, and two refused."""
    chance = np.random.default_rng(1)
    gray = [chance.integers(0, 255, (SIDE, SIDE), dtype=np.uint8) for _ in range(7)]
    clear, cut = np.zeros_like(gray[0]), np.where(np.indices((SIDE, SIDE))[0] > 9, 255, 0).astype(np.uint8)
    save(root / "good/0.png", gray[0])
    save(root / "good/deep.png", chance.integers(0, 2**12, (SIDE, SIDE)).astype(np.uint16))
    save(root / "good/clear.png", np.dstack([gray[1]] * 3 + [clear]))
    save(root / "good/cut.png", np.dstack([gray[2]] * 3 + [cut]))
    save(root / "good/colour.png", chance.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[274] = 6
    save(root / "good/turned.jpg", gray[3], exif=turned)
    save(root / "good/small.png", gray[4][:20, :20])
    save(root / "good/float.tif", gray[5].astype(np.float32))
    return root


@dataclass(frozen=True)
class Read:
    """What a verb makes of each photograph: its pixels, or the code of its refusal; and the codes it warns of."""

    pixels: dict[str, np.ndarray]
    refused: dict[str, str]
    warned: dict[str, int]


Told = dict[str, Any]


def by_ingest(root: Path, told: Told) -> Read:
    out = root / "../out"
    dataset = ingest(root, out, format="mask-png", max_bad=0.9, **told)
    gray = dataset.info["mode"] == "L"
    pixels = {image.extra.get("source_file", image.file_name): image for image in dataset.images}
    rows = map(json.loads, (out / "rejects.jsonl").read_text().splitlines())
    return Read(
        {file: read_pixels(dataset.path_of(image), gray) for file, image in pixels.items()},
        {row["file"]: row["code"] for row in rows},
        {code: n for image in dataset.images for code, n in Counter(image.extra.get("warnings", [])).items()},
    )


def rejected(ledger: Ledger) -> dict[str, str]:
    return {row["file"]: row["code"] for row in ledger.rejected}


def by_one_class_train(root: Path, told: Told) -> Read:
    ledger = Ledger()
    parts = gather(root, View(SIDE), Grouping(), ledger, ReadingConfig(**told))
    shown = (square[0] if len(square) == 1 else square.transpose(1, 2, 0) for square in parts.squares_NCHW)
    return Read(dict(zip(parts.files, shown, strict=True)), rejected(ledger), dict(ledger.warned))


def learnt(root: Path, told: Told) -> ReadingConfig:
    return gather(root, View(SIDE), Grouping(), Ledger(), ReadingConfig(**told)).reading


def by_one_class_use(root: Path, told: Told) -> Read:
    """As score and evaluate, of a model that learned from these photographs."""
    ledger, reading = Ledger(), learnt(root, told)
    settings = one_class("cae").configure("quick", {"size": SIDE})
    model = Model(build_detector("cae", 1, settings, 0), "cae", settings, 1, reading)
    pixels: dict[str, np.ndarray] = {}
    photographs = list_photographs(root, ledger, ReadingConfig().over(model.reading))
    for files, squares, _, _ in squares_in_batches(model, photographs, ledger):
        shown = (one[0, 0] if one.shape[1] == 1 else one[0].transpose(1, 2, 0) for one in squares)
        pixels |= dict(zip(files, shown, strict=True))
    return Read(pixels, rejected(ledger), dict(ledger.warned))


def by_one_class_recalibrate(root: Path, told: Told) -> Read:
    ledger = Ledger()
    parts = gather(root, View(SIDE), Grouping(), ledger, ReadingConfig(), learnt(root, told))
    shown = (square[0] if len(square) == 1 else square.transpose(1, 2, 0) for square in parts.squares_NCHW)
    return Read(dict(zip(parts.files, shown, strict=True)), rejected(ledger), dict(ledger.warned))


def of_its_data_set(root: Path) -> ReadingConfig:
    """What a model remembers that learned from what :func:`by_ingest` wrote."""
    return ReadingConfig.of_dataset(load_dataset(root / "../out"))


def by_detect_predict(root: Path, told: Told) -> Read:
    ledger, reading = Ledger(), of_its_data_set(root)
    photographs = list_photographs(root, ledger, ReadingConfig().over(reading))
    pixels = {one.file: to_mode(one.pixels, reading.mode) for one in photographs.each(ledger, "test")}
    return Read(pixels, rejected(ledger), dict(ledger.warned))


def by_paint(root: Path, told: Told) -> Read:
    pixels, refused, warned = {}, {}, Counter[str]()
    reading = PaintConfig().over(of_its_data_set(root))
    for path in sorted(root.rglob("*.*")):
        name, notes = path.relative_to(root).as_posix(), Notes()
        try:
            pixels[name] = to_mode(read_photograph(path, notes, reading).pixels, reading.mode)
        except InputError as error:
            refused[name] = error.code
        warned.update(notes.warnings.keys())
    return Read(pixels, refused, dict(warned))


VERBS = {
    "one-class train": by_one_class_train,
    "one-class score, evaluate": by_one_class_use,
    "one-class recalibrate": by_one_class_recalibrate,
    "detect predict": by_detect_predict,
    "paint": by_paint,
}


@pytest.mark.parametrize(
    ("told", "refused", "shape"),
    [
        ({}, {"good/float.tif": "A7"}, (SIDE, SIDE)),
        ({"bits": 16}, {"good/float.tif": "A7"}, (SIDE, SIDE)),
        ({"colour": "rgb"}, {"good/float.tif": "A7"}, (SIDE, SIDE, 3)),
        ({"min_side": 24}, {"good/float.tif": "A7", "good/small.png": "A19"}, (SIDE, SIDE)),
        ({"bits": 10}, {"good/float.tif": "A7", "good/deep.png": "A6"}, (SIDE, SIDE)),
    ],
    ids=str,
)
def test_every_verb_reads_what_ingest_reads(
    told: Told, refused: dict[str, str], shape: tuple[int, ...], tmp_path: Path
) -> None:
    root = awkward(tmp_path / "s")
    wanted = by_ingest(root, told)
    assert wanted.refused == refused and wanted.warned == {"A9": 1}
    assert wanted.pixels["good/colour.png"].shape == shape
    deepest = wanted.pixels.get("good/deep.png", np.zeros(1)).max()
    assert deepest == {None: 255, 16: 16, 10: 0}[told.get("bits")]
    for verb, read in VERBS.items():
        found = read(root, told)
        assert (found.refused, found.warned) == (wanted.refused, wanted.warned), verb
        assert found.pixels.keys() == wanted.pixels.keys(), verb
        for name, pixels in wanted.pixels.items():
            if name != "good/small.png":  # a detector's square enlarges it
                np.testing.assert_array_equal(found.pixels[name], pixels, f"{verb}: {name}")


def test_what_is_told_wins_over_what_a_model_learned_from() -> None:
    gray = ReadingConfig(bits=12, colour="gray", min_side=40)
    assert ReadingConfig().over(gray) == gray == ReadingConfig(colour="auto").over(gray)
    assert ReadingConfig(bits=16, min_side=16).over(gray) == ReadingConfig(bits=16, colour="gray", min_side=16)
    assert ReadingConfig(colour="gray").over(ReadingConfig(colour="rgb")).mode == "L"
    with pytest.raises(ConfigError, match="--colour rgb: the model learned from gray"):
        ReadingConfig(colour="rgb").over(gray)


@pytest.mark.parametrize(
    "verb",
    [
        ["one-class", "train", "photos"],
        ["one-class", "score", "photos", "--model", "m"],
        ["one-class", "evaluate", "--model", "m", "--good", "a", "--defects", "b"],
        ["one-class", "recalibrate", "photos", "--model", "m"],
        ["detect", "predict", "photos", "--model", "m"],
        ["paint", "p.png", "--model", "m", "--mask", "m.png"],
        ["ingest", "photos"],
    ],
    ids=lambda verb: " ".join(verb[:2]),
)
def test_every_verb_takes_the_same_options_on_reading(verb: list[str], tmp_path: Path) -> None:
    for option, value in (("bits", "7"), ("colour", "purple"), ("min-side", "0")):
        done = CliRunner().invoke(app, [*verb, "--out", str(tmp_path / "out"), f"--{option}", value])
        said = str(done.exception)
        assert isinstance(done.exception, ConfigError) and f"{option.replace('-', '_')}: " in said, said


@pytest.mark.parametrize(("turn", "code"), [(6, "A4"), (3, "A5")])
@pytest.mark.parametrize("told", ["auto", "raw"])
def test_a_mask_drawn_on_the_unturned_pixels_is_turned_with_them(
    turn: int, told: str, code: str, tmp_path: Path
) -> None:
    turned = Image.Exif()
    turned[274] = turn
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:9, 3:30] = 1
    save(tmp_path / "p.png", np.where(mask, 250, 20).astype(np.uint8), exif=turned)
    photograph = read_photograph(tmp_path / "p.png", Notes())
    if told == "auto":
        with pytest.raises(InputError, match=f"{code}.*exif: raw"):
            in_its_frame("m.png", [("a", mask)], photograph, told, Notes())
        return
    ((_, shown),) = in_its_frame("m.png", [("a", mask)], photograph, told, Notes())
    np.testing.assert_array_equal(shown, photograph.pixels > 128)


def test_a_depth_that_leaves_nothing_to_see_is_refused_everywhere(tmp_path: Path) -> None:
    dark = np.random.default_rng(1).integers(0, 64, (HEIGHT, WIDTH)).astype(np.uint16)
    save(tmp_path / "s/0.png", dark)
    with pytest.raises(InputError, match=r"A26.*set bits="):
        read_photograph(tmp_path / "s/0.png", Notes(), ReadingConfig(bits=16))
    ledger = Ledger()
    photographs = list_photographs(tmp_path / "s", ledger, ReadingConfig(bits=16))
    assert not list(photographs.each(ledger, "test")) and ledger.rejected[0]["code"] == "A26"


def test_a_data_set_that_does_not_say_how_it_is_read_is_gray_to_every_verb(tmp_path: Path) -> None:
    save(tmp_path / "images/0.png", np.random.default_rng(2).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    sha256 = sha256_file(tmp_path / "images/0.png")
    image = ImageRecord(1, "0.png", WIDTH, HEIGHT, "a", "train", "real", sha256)
    silent = Dataset([image], [], [Category(1, "a")], folder=tmp_path)
    dense, _ = Photographs(silent, CategoryMap.of(silent.categories)).load(0)
    assert dense.ndim == read_resized(silent, image, 32).ndim == 2
    assert Donors(silent).gray and ReadingConfig.of_dataset(silent).colour == "gray"
