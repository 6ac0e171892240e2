"""A small finished ``ingest`` and ``pool``: dark textured photographs, bright defects, two categories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png

HEIGHT, WIDTH = 72, 90
CATEGORIES = [Category(1, "spot"), Category(2, "scratch")]


@dataclass(frozen=True)
class SmallRun:
    """Folders of a run; ``inputs`` are those of the stages that exist."""

    folder: Path

    @property
    def ingest(self) -> Dataset:
        return load_dataset(self.folder / "ingest")

    @property
    def pool(self) -> Dataset:
        return load_dataset(self.folder / "pool")

    def inputs(self, *names):
        return {name: self.folder / name for name in ("ingest", "pool", *names)}


def texture(rng):
    return rng.normal(60, 6, (HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)


def shape(kind, rng):
    """mask_01 of a bright defect in the middle of the photograph."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    cy, cx = rng.uniform(26, HEIGHT - 26), rng.uniform(26, WIDTH - 26)
    if kind == 1:
        return (((y - cy) / 6) ** 2 + ((x - cx) / 4) ** 2 < 1).astype(np.uint8)
    angle = rng.uniform(0, np.pi)
    along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    return ((abs(along) < 12) & (abs(across) < 1.6)).astype(np.uint8)


def add_image(folder, images, name, pixels, group, split):
    content = write_png(folder / "images" / name, pixels)
    images.append(ImageRecord(len(images) + 1, name, WIDTH, HEIGHT, group, split, "real", sha256_bytes(content)))
    return images[-1]


def build_ingest(folder, groups=10, exposures=2):
    """Two objects of ``groups`` are test objects; each shows both categories at every exposure, and is once normal."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for group in range(groups):
        split = "test" if group >= groups - 2 else "train"
        for exposure in range(exposures):
            for category in CATEGORIES:
                pixels, mask = texture(rng), shape(category.id, rng)
                pixels[mask != 0] = rng.integers(190, 210, int(mask.sum()))
                image = add_image(folder, images, f"{category.name}/{group}_{exposure}.png", pixels, f"g{group}", split)
                annotations.append(Annotation.from_mask(len(annotations) + 1, image.id, category.id, mask))
        add_image(folder, images, f"normal/{group}.png", texture(rng), f"g{group}", split)
    Dataset(images, annotations, CATEGORIES, {"mode": "L"}).save(folder)


def build_pool(folder, ingest, per_category=10, **info):
    """Every third item is an expert's; the others are real elements moved by whole pixels."""
    rng = np.random.default_rng(1)
    train = ingest.split("train")
    normals = train.normals()
    names = {image.id: image for image in train.images}
    images, annotations = [], []
    for category in CATEGORIES:
        parents = [item for item in train.annotations if item.category_id == category.id]
        for index in range(per_category):
            normal, parent = normals[index % len(normals)], parents[index % len(parents)]
            shift = rng.integers(-8, 9, 2)
            mask = np.roll(parent.mask(), tuple(shift[::-1]), (0, 1))
            image = names[parent.image_id]
            provenance = {
                "kind": "prior",
                "parent": parent.id,
                "parent_image": image.file_name,
                "parent_group": image.group_id,
                "affine": [[1, 0, int(shift[0])], [0, 1, int(shift[1])]],
            }
            if index % 3 == 2:
                mask = shape(category.id, rng)
                provenance = {
                    "kind": "expert",
                    "parent": "000.json#0",
                    "parent_image": normal.file_name,
                    "parent_group": normal.group_id,
                    "affine": [[1, 0, 0], [0, 1, 0]],
                }
            name = f"{category.name}/{index + 1:06d}.png"
            content = write_png(folder / "images" / name, mask * np.uint8(255))
            images.append(
                ImageRecord(
                    len(images) + 1,
                    name,
                    WIDTH,
                    HEIGHT,
                    normal.group_id,
                    "train",
                    "synthetic",
                    sha256_bytes(content),
                    {"normal_file": normal.file_name, "category": category.name, "index": index},
                )
            )
            annotations.append(Annotation.from_mask(len(annotations) + 1, len(images), category.id, mask, provenance))
    Dataset(images, annotations, CATEGORIES, {"mode": "L", **info}).save(folder)


def build_run(folder, groups=10, exposures=2, per_category=10, **info):
    """``ingest`` and ``pool`` as two finished stages; ``info`` goes into the pool's own."""
    build_ingest(folder / "ingest", groups, exposures)
    build_pool(folder / "pool", load_dataset(folder / "ingest"), per_category, **info)
    for name in ("ingest", "pool"):
        write_json(folder / name / "manifest.json", {"key": name, "files": []})
    return SmallRun(folder)
