"""A toy data set: bright squares (category 3) and dark bars (category 7) on noise, 64 px and smaller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from detection.detectors.config import DetectConfig

CATEGORIES = [Category(3, "square"), Category(7, "bar")]
WriteDataset = Callable[..., Dataset]
Painted = tuple[ImageRecord, list[Annotation]]


def paint(folder: Path, number: int, split: str, kind: str, source: str = "real") -> Painted:
    """One photograph of its own object; ``kind`` is ``square``, ``bar`` or ``normal``."""
    rng = rng_for(0, "toy", number)
    height, width = (64, 48) if number % 2 else (48, 40)
    pixels = rng.integers(90, 130, (height, width)).astype(np.uint8)
    mask = np.zeros_like(pixels)
    y, x = int(rng.integers(4, height - 24)), int(rng.integers(4, width - 24))
    if kind == "square":
        mask[y : y + 10, x : x + 10] = 1
        pixels[mask == 1] = 250
    elif kind == "bar":
        mask[y : y + 5, x : x + 20] = 1
        pixels[mask == 1] = 5
    name = f"{split}-{number:03d}.png"
    content = write_png(folder / "images" / name, pixels)
    record = ImageRecord(number, name, width, height, f"object-{number}", split, source, sha256_bytes(content))
    category = {"square": 3, "bar": 7}.get(kind)
    return record, [] if category is None else [Annotation.from_mask(number, number, category, mask)]


def finish(folder: Path, key: str) -> None:
    write_json(folder / "manifest.json", {"key": key, "files": []})


@pytest.fixture
def write_dataset() -> WriteDataset:
    """A finished ingest folder: 12 photographs to train on, 8 to judge on; ``extra`` adds more of any kind."""

    def write(folder: Path, key: str = "ingest", extra: list[tuple[str, str, str]] | None = None) -> Dataset:
        plan = [
            (split, kind, "real")
            for split, rounds in (("train", 4), ("test", 3))
            for _ in range(rounds)
            for kind in ("square", "bar", "normal")
        ][:20]
        painted = [paint(folder, number, *row) for number, row in enumerate(plan + (extra or []), start=1)]
        dataset = Dataset(
            [image for image, _ in painted],
            [a for _, items in painted for a in items],
            CATEGORIES,
            {"mode": "L"},
            folder,
        )
        dataset.save(folder)
        finish(folder, key)
        return dataset

    return write


@pytest.fixture
def write_export(write_dataset: WriteDataset) -> WriteDataset:
    """A finished export: the training split of ``write_dataset`` and four synthetic photographs."""

    def write(folder: Path, key: str = "export") -> Dataset:
        made = [("train", kind, "synthetic") for kind in ("square", "bar", "square", "bar")]
        dataset = write_dataset(folder, key, made).select(lambda image: image.split == "train")
        dataset.save(folder)
        return dataset

    return write


@pytest.fixture
def tiny() -> DetectConfig:
    """Two steps of the smallest net that has every part."""
    return DetectConfig(
        detector="mask_rcnn",
        view="whole",
        schedule="linear",
        backbone="efficientnet_lite0",
        image_size=64,
        iterations=2,
        width=16,
        head_width=32,
        anchor_sizes=(4, 8, 16, 32, 64),
        rpn_samples=16,
        roi_samples=8,
        proposals_before_nms=20,
        proposals=10,
        detections=10,
        warmup=1,
    )


@pytest.fixture
def one_thread():
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_dense(tiny: DetectConfig) -> DetectConfig:
    """Two steps of the dense detector on small crops."""
    dense = tiny.dense.model_copy(update={"crop": 64, "batch": 4, "widths": (16, 16, 8, 8), "looks": 1})
    return tiny.model_copy(update={"detector": "dense", "dense": dense})
