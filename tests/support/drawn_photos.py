"""Small photographs and masks, written and ingested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run

HEIGHT, WIDTH = 40, 60
LAYOUTS = {
    "beside": ("{cat}/{n}.jpg", "{cat}/{n}.png"),
    "suffix": ("{cat}/{n}.png", "{cat}/{n}_mask.png"),
    "parallel": ("images/{cat}/{n}.jpg", "masks/{cat}/{n}.png"),
    "folder_mask": ("{cat}/{n}.bmp", "{cat}_mask/{n}.png"),
    "inner": ("{cat}/images/{n}.tif", "{cat}/masks/{n}_mask.png"),
}


def photo(seed: int, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options: Any) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path.read_bytes()


def ring_and_dot() -> np.ndarray:
    """A ring (hole in it), and a single pixel apart: two instances."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:20, 5:25] = 1
    mask[9:15, 10:18] = 0
    mask[30, 50] = 1
    return mask


def ingest(root: Path, out: Path, **settings: Any) -> Dataset:
    run(IngestConfig(root=str(root), **settings), Context(seed=0), out)
    return load_dataset(out)


def masks_of(dataset: Dataset, file: str) -> list[np.ndarray]:
    image = next(image for image in dataset.images if image.file_name == file)
    return [annotation.mask() for annotation in dataset.by_image().get(image.id, [])]


def union(dataset: Dataset, file: str) -> np.ndarray:
    return np.bitwise_or.reduce(masks_of(dataset, file))


def write_masks(root: Path, layout: str = "beside") -> None:
    for index in range(4):
        for seed, category in ((10, "crack"), (50, "break")):
            picture, mask = (root / part.format(cat=category, n=index) for part in LAYOUTS[layout])
            save(picture, photo(index + seed))
            save(mask, ring_and_dot() * 255)
        save(root / LAYOUTS[layout][0].format(cat="good", n=index), photo(100 + index))


def labelme(path: Path, seed: int, shapes: list[dict[str, Any]]) -> None:
    save(path, photo(seed))
    path.with_suffix(".json").write_text(
        json.dumps(
            {
                "version": "6.3.1",
                "flags": {},
                "imagePath": path.name,
                "imageData": None,
                "imageHeight": HEIGHT,
                "imageWidth": WIDTH,
                "shapes": [{"group_id": None, "flags": {}, **shape} for shape in shapes],
            }
        )
    )


def rectangle(left: int, top: int, right: int, bottom: int, **changes: Any) -> dict[str, Any]:
    return {"label": "crack", "shape_type": "rectangle", "points": [[right, top], [left, bottom]], **changes}


def filled(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] ^= 1
    return mask
