"""A small finished ``ingest`` and ``pool``: dark textured photographs, bright defects, two categories, six objects."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png
from anomaly_gan.core.records import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.synthesis import gate
from anomaly_gan.synthesis.gate_backbones import Extractors

HEIGHT, WIDTH = 72, 90
CATEGORIES = [Category(1, "spot"), Category(2, "scratch")]
PER_CATEGORY = 10
"""Items of the pool."""


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


def build_ingest(folder):
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for group in range(10):
        split = "test" if group >= 8 else "train"
        for exposure in range(2):
            for category in CATEGORIES:
                pixels, mask = texture(rng), shape(category.id, rng)
                pixels[mask != 0] = rng.integers(190, 210, int(mask.sum()))
                image = add_image(folder, images, f"{category.name}/{group}_{exposure}.png", pixels, f"g{group}", split)
                annotations.append(Annotation.from_mask(len(annotations) + 1, image.id, category.id, mask))
        add_image(folder, images, f"normal/{group}.png", texture(rng), f"g{group}", split)
    Dataset(images, annotations, CATEGORIES, {"mode": "L"}).save(folder)


def build_pool(folder, ingest):
    """Every third item is an expert's; the others are real elements moved by whole pixels."""
    rng = np.random.default_rng(1)
    train = ingest.split("train")
    normals = train.normals()
    names = {image.id: image for image in train.images}
    images, annotations = [], []
    for category in CATEGORIES:
        parents = [item for item in train.annotations if item.category_id == category.id]
        for index in range(PER_CATEGORY):
            normal, parent = normals[index % len(normals)], parents[index % len(parents)]
            shift = rng.integers(-8, 9, 2)
            mask = np.roll(parent.mask(), tuple(shift[::-1]), (0, 1))
            image = names[parent.image_id]
            provenance = {"kind": "prior", "parent": parent.id, "parent_image": image.file_name,
                          "parent_group": image.group_id, "affine": [[1, 0, int(shift[0])], [0, 1, int(shift[1])]]}
            if index % 3 == 2:
                mask = shape(category.id, rng)
                provenance = {"kind": "expert", "parent": "000.json#0", "parent_image": normal.file_name,
                              "parent_group": normal.group_id, "affine": [[1, 0, 0], [0, 1, 0]]}
            name = f"{category.name}/{index + 1:06d}.png"
            content = write_png(folder / "images" / name, mask * np.uint8(255))
            images.append(ImageRecord(len(images) + 1, name, WIDTH, HEIGHT, normal.group_id, "train", "synthetic",
                                      sha256_bytes(content), {"normal_file": normal.file_name,
                                                              "category": category.name, "index": index}))
            annotations.append(Annotation.from_mask(len(annotations) + 1, len(images), category.id, mask, provenance))
    Dataset(images, annotations, CATEGORIES, {"mode": "L"}).save(folder)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Shared; tests that write choose folders of their own."""
    folder = tmp_path_factory.mktemp("run")
    build_ingest(folder / "ingest")
    build_pool(folder / "pool", load_dataset(folder / "ingest"))
    for name in ("ingest", "pool"):
        write_json(folder / name / "manifest.json", {"key": name, "files": []})
    return SmallRun(folder)


@pytest.fixture
def renamed():
    """A copy of an image record under another provenance entry."""
    def change(image, **provenance):
        return replace(image, extra={**image.extra, "provenance": {**image.extra["provenance"], **provenance}})
    return change


@pytest.fixture(scope="session")
def trainings(small_run, tmp_path_factory):
    """A method's name -> its finished training, as small as can be, with nets of three channels."""
    from anomaly_gan.core.manifest import Context, run_stage
    from anomaly_gan.synthesis import train
    from anomaly_gan.synthesis.config import TrainConfig

    done = {}

    def finished(name):
        if name not in done:
            done[name] = tmp_path_factory.mktemp("trainings") / f"train@{name}"
            run_stage(f"train@{name}", train.run, TrainConfig(method=name, **SMALLEST),
                      Context(5, "cpu", small_run.inputs()), done[name])
        return done[name]
    return finished


SMALLEST = {"steps": 3, "batch": 4, "size": 32, "local_size": 8, "base_width": 8, "depth": 2, "widths": (8, 8, 8),
            "features": 8, "patch_width": 4, "aware_width": 4, "aware_size": 8, "aware_steps": 1, "checkpoint_every": 2,
            "sample_every": 3, "scales": (1, 2), "threads": 1, "channels": 3}


@pytest.fixture
def toy_extractors(monkeypatch):
    """Coarse pictures in place of network features: decisions do not depend on them."""
    def network(images_BCHW):
        return images_BCHW.mean(dim=1).flatten(1), [images_BCHW / 255]

    toy = Backbone("Toy", 8, network)
    names = {"frechet": "FD-Toy", "kernel": "KID-Toy", "perceptual": "PD-Toy"}
    monkeypatch.setattr(gate, "build_extractors", lambda device: Extractors(toy, toy, None, names))
