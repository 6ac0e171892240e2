"""Real sets: every mask's area equal to an independent computation. Skipped where the data is not there.

The folder is named by ``REAL_SETS``, or lies beside the repository as ``shared/datasets``.
"""

from __future__ import annotations

import os
import zipfile
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run

HERE = Path(__file__).resolve()
PLACES = [Path(os.environ.get("REAL_SETS", "/nowhere")), *(folder / "shared/datasets" for folder in HERE.parents)]
DATA = next((place for place in PLACES if place.is_dir()), None)
MOST = int(os.environ.get("REAL_SETS_MOST", "40"))
"""Photographs looked at of each folder; 0: all."""

pytestmark = pytest.mark.skipif(DATA is None, reason="the real data sets are not on this machine")


def area_of(content: bytes) -> int:
    """Pixels of at least half of the brightest possible value; OpenCV reads the picture."""
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert values is not None and values.ndim == 2
    return int((values >= 128).sum()) if values.max() > 1 else int((values > 0).sum())


def areas(dataset: Dataset) -> dict[str, int]:
    """Pixels covered in every photograph, by its file."""
    found: dict[str, np.ndarray] = {}
    names = {image.id: image.extra.get("source_file", image.file_name) for image in dataset.images}
    for item in dataset.annotations:
        mask = item.mask()
        found[names[item.image_id]] = found.get(names[item.image_id], np.zeros_like(mask)) | mask
    return {name: int(found[name].sum()) if name in found else 0 for name in names.values()}


def ingested(root: Path, out: Path, **settings: object) -> dict[str, int]:
    run(IngestConfig(root=str(root), max_bad=1.0, **settings), Context(0), out)  # type: ignore[arg-type]
    return areas(load_dataset(out))


def thinned(names: list[str]) -> list[str]:
    """The first few of every folder."""
    if MOST == 0:
        return names
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for name in sorted(names):
        folder = name.rpartition("/")[0]
        seen[folder] += 1
        if seen[folder] <= MOST:
            kept.append(name)
    return kept


def unpacked(pack: str, inner: str, to: Path) -> Path:
    """The part of a pack below ``inner``, thinned."""
    assert DATA is not None
    with zipfile.ZipFile(DATA / f"{pack}.zip") as packed:
        names = [name for name in packed.namelist() if name.startswith(inner) and "." in name.rsplit("/", 1)[-1]]
        for name in thinned([name for name in names if not name.endswith((".json", ".md"))]):
            packed.extract(name, to)
    return to / inner


def check(found: dict[str, int], expected: dict[str, int], least: int) -> None:
    shared = {name: area for name, area in expected.items() if name in found}
    assert len(shared) >= least and {name: found[name] for name in shared} == shared


def test_magnetic_tiles(tmp_path: Path) -> None:
    assert DATA is not None
    root = tmp_path / "tiles"
    for name in thinned([path.relative_to(DATA).as_posix() for path in (DATA / "magnetic_tile").rglob("*.png")]):
        for suffix in (".png", ".jpg"):
            place = root / Path(name).relative_to("magnetic_tile").with_suffix(suffix)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((DATA / name).with_suffix(suffix).read_bytes())
    expected = {
        path.with_suffix(".jpg").relative_to(root).as_posix(): area_of(path.read_bytes())
        for path in root.rglob("*.png")
    }
    check(ingested(root, tmp_path / "out"), expected, 150)


@pytest.mark.parametrize(
    ("pack", "inner", "mask_of", "least"),
    [
        ("crackforest", "", lambda name: name.replace("images/", "masks/").rsplit(".", 1)[0] + ".png", 30),
        ("rsdds", "type1/", lambda name: name.replace("images/", "masks/").rsplit(".", 1)[0] + ".png", 30),
        ("rsdds", "type2/", lambda name: name.replace("images/", "masks/").rsplit(".", 1)[0] + ".png", 30),
    ],
)
def test_photographs_and_masks_in_two_folders(pack, inner, mask_of, least, tmp_path: Path) -> None:
    root = unpacked(pack, inner, tmp_path / "source")
    found = ingested(root, tmp_path / "out")
    expected = {
        name: area_of((root / mask_of(name)).read_bytes()) for name in found if (root / mask_of(name)).is_file()
    }
    check(found, expected, least)


def test_mvtec_screw(tmp_path: Path) -> None:
    root = unpacked("mvtec_screw", "", tmp_path / "source")
    expected = {
        f"test/{path.parent.name}/{path.stem.removesuffix('_mask')}.jpg": area_of(path.read_bytes())
        for path in (root / "ground_truth").rglob("*.png")
    }
    found = ingested(root, tmp_path / "out")
    check(found, expected, 100)
    assert sum(area == 0 for area in found.values()) >= MOST
