"""How much there is to work on: from the ingested data set, or, before there is one, a look into the source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.dataset import load_dataset
from ..core.resources import expand
from ..core.stage import read_manifest
from ..ingestion.config import IngestConfig

PHOTOGRAPHS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MOST_FILES = 200_000
GUESSED_CATEGORIES = 3


@dataclass(frozen=True)
class Sizes:
    """``width`` and ``height``: of a usual photograph, in pixels. ``known``: counted, not guessed."""

    photographs: int
    test: int
    categories: int
    width: int
    height: int
    defective: int
    """Photographs of the training side that show a defect."""
    gray: bool = True
    known: bool = False

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    @property
    def train(self) -> int:
        return self.photographs - self.test


def sizes_of(data: IngestConfig, run: Path) -> Sizes:
    """What is known of a run's photographs by now."""
    ingest = run / "ingest"
    if read_manifest(ingest) is None:
        return _look(data)
    dataset = load_dataset(ingest)
    images = sorted(dataset.images, key=lambda image: image.width * image.height)
    middle = images[len(images) // 2]
    return Sizes(
        len(images),
        sum(image.split == "test" for image in images),
        max(1, len(dataset.categories)),
        middle.width,
        middle.height,
        len({item.image_id for item in dataset.split("train").annotations}),
        dataset.gray,
        known=True,
    )


def _look(data: IngestConfig) -> Sizes:
    """A guess from file names and one photograph's head; labels stay unread."""
    from PIL import Image

    root = expand(data.root)
    folder = root if root.is_dir() else root.parent
    found: list[Path] = []
    for place, _, files in os.walk(folder):
        found += [Path(place) / name for name in files if Path(name).suffix.lower() in PHOTOGRAPHS]
        if len(found) > MOST_FILES:
            break
    masks = sum("mask" in path.name.lower() or "mask" in path.parent.name.lower() for path in found)
    width, height, gray = 512, 512, True
    for path in sorted(found)[len(found) // 2 :][:1]:
        try:
            with Image.open(path) as picture:
                (width, height), gray = picture.size, picture.mode in ("L", "1", "I;16")
        except OSError:
            break
    number = max(1, len(found) - masks)
    test = round(data.test_share * number)
    # every mask names a photograph with a defect; where labels lie in other files, a third is as good as any guess
    defective = round((1 - data.test_share) * masks) if masks else (number - test) // 3
    return Sizes(number, test, GUESSED_CATEGORIES, width, height, max(1, defective), gray)
