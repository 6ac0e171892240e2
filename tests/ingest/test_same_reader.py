"""One reader behind every verb: what ingest makes of a file, paint, one-class and detect make of it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, save

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.ingestion.classes import read_classes
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.synthesis.paint.user_files import read_mask, read_photograph
from detection.inspection import predict
from detection.one_class.inspection import photographs
from detection.one_class.inspection.photographs import list_photographs, read_photographs

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


FILES = {
    "12 bits": np.random.default_rng(1).integers(0, 2**12, (HEIGHT, WIDTH)).astype(np.uint16),
    "clear everywhere": np.dstack([np.random.default_rng(2).integers(0, 255, (HEIGHT, WIDTH, 3)), np.zeros((40, 60))]),
    "cut out": np.dstack(
        [np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH, 3)), 255 * (np.indices((40, 60))[0] > 9)]
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_verb_sees_the_pixels_that_ingest_stores(name: str, tmp_path: Path) -> None:
    pixels = FILES[name] if FILES[name].dtype == np.uint16 else FILES[name].astype(np.uint8)
    save(tmp_path / "s/good/0.png", pixels)
    dataset = ingest(tmp_path / "s", tmp_path / "out", format="mask-png")
    stored = read_pixels(dataset.path_of(dataset.images[0]), gray=pixels.ndim == 2)
    bits = dataset.info.get("bits")
    painted, _ = read_photograph(tmp_path / "s/good/0.png", bits)
    tree, names = list_photographs(tmp_path / "s", Ledger(), bits)
    (judged,) = read_photographs(tree, names, Ledger(), "test")
    np.testing.assert_array_equal(painted, stored)
    np.testing.assert_array_equal(judged.pixels, stored)
    found, _ = list_photographs(tmp_path / "s", Ledger())
    assert found.bits == bits


def test_detect_predict_reads_by_the_very_functions_that_one_class_reads_by() -> None:
    assert predict.list_photographs is photographs.list_photographs
    assert predict.read_photographs is photographs.read_photographs


def test_a_depth_that_leaves_nothing_to_see_is_refused_everywhere(tmp_path: Path) -> None:
    save(tmp_path / "s/0.png", (FILES["12 bits"] // 64).astype(np.uint16))
    with pytest.raises(InputError, match=r"A26.*set bits="):
        read_photograph(tmp_path / "s/0.png", 16)
    ledger = Ledger()
    tree, names = list_photographs(tmp_path / "s", ledger, 16)
    assert not list(read_photographs(tree, names, ledger, "test")) and ledger.rejected[0]["code"] == "A26"
