"""A finished small run: noise with bright squares and bars, a pool, and photographs that passed the gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png
from anomaly_gan.core.records import Annotation, Category, Dataset, ImageRecord, load_dataset

CATEGORIES = [Category(1, "bar"), Category(2, "square")]
SIDE = 48


@dataclass(frozen=True)
class SmallRun:
    folder: Path

    @property
    def ingest(self) -> Dataset:
        return load_dataset(self.folder / "ingest")

    def inputs(self) -> dict[str, Path]:
        return {name: self.folder / name for name in ("ingest", "pool", "gate@copy_paste")}


class Folder:
    """A data set being written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rng = folder, np.random.default_rng(sum(folder.name.encode()))
        self.images: list[ImageRecord] = []
        self.annotations: list[Annotation] = []

    def add(self, name: str, group: str, split: str, kind: int | None, source: str = "real", **extra) -> None:
        pixels = self.rng.normal(80, 8, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
        mask = np.zeros_like(pixels)
        y, x = self.rng.integers(14, 24, 2)
        mask[y:y + (3 if kind == 1 else 8), x:x + 8] = kind is not None
        pixels[mask != 0] = 220
        content = write_png(self.folder / "images" / name, pixels)
        number = len(self.images) + 1
        self.images.append(ImageRecord(number, name, SIDE, SIDE, group, split, source, sha256_bytes(content), extra))
        if kind is not None:
            provenance = {"kind": "expert", "parent_group": group} if source == "synthetic" else {}
            self.annotations.append(Annotation.from_mask(len(self.annotations) + 1, number, kind, mask, provenance))

    def finish(self, **info) -> None:
        Dataset(self.images, self.annotations, CATEGORIES, {"mode": "L", **info}).save(self.folder)
        write_json(self.folder / "manifest.json", {"key": self.folder.name, "files": []})


def build_small_run(folder: Path) -> SmallRun:
    """Eight training photographs with a defect, four test ones, two normals a side; twelve made by copy-paste."""
    ingest = Folder(folder / "ingest")
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            for category in CATEGORIES:
                ingest.add(f"{split}/{category.name}{number}.jpg.png", f"{split}{number}", split, category.id)
        for number in range(2):
            ingest.add(f"{split}/normal{number}.png", f"{split}{number}", split, None)
    ingest.finish()
    pool, gate = Folder(folder / "pool"), Folder(folder / "gate@copy_paste")
    for category in CATEGORIES:
        for number in range(6):
            name = f"{category.name}/{number + 1:06d}.png"
            pool.add(name, "train0", "train", category.id, "synthetic", category=category.name)
            gate.add(name, "train0", "train", category.id, "synthetic", category=category.name,
                     provenance={"method": "copy_paste", "base": "train/normal0.png"})
    pool.finish(fixed_shape=["bar"])
    gate.finish()
    return SmallRun(folder)
