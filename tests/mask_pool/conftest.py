"""A small data set by hand: five normals and four defective photographs, two irregular categories and one fixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png

HEIGHT, WIDTH = 96, 120
SEATS = {"normal_0": [(24, 30), (84, 60)], "normal_1": [(60, 24)], "normal_2": [(30, 66), (90, 24), (90, 70)]}
"""Centres (x, y) of the screws drawn on each normal."""
CATEGORIES = ("crack", "scrap", "screw")


def screw(pixels: np.ndarray, x: int, y: int) -> None:
    """Draw a screw with radius 8 around (x, y): bright ring, dark slot."""
    cv2.circle(pixels, (x, y), 8, 220, -1)
    cv2.circle(pixels, (x, y), 8, 40, 1)
    cv2.line(pixels, (x - 5, y - 3), (x + 5, y + 3), 30, 2)


def shape(name: str, x: int, y: int) -> np.ndarray:
    """mask_01 of one defect of category ``name`` at (x, y)."""
    mask_01 = np.zeros((HEIGHT, WIDTH), np.uint8)
    if name == "crack":
        cv2.polylines(mask_01, [np.array([[x - 12, y - 4], [x, y + 3], [x + 10, y - 2]])], False, 1, 3)
    elif name == "scrap":
        cv2.fillPoly(mask_01, [np.array([[x - 7, y - 5], [x + 8, y - 8], [x + 5, y + 9], [x - 3, y + 4]])], 1)
    else:
        cv2.circle(mask_01, (x, y), 8, 1, -1)
    return mask_01


@pytest.fixture
def ingest(tmp_path: Path) -> Path:
    """A finished ingest folder; ``defect_3`` and ``normal_4`` belong to the test split."""
    folder = tmp_path / "ingest"
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    rng = np.random.default_rng(5)

    def add(name: str, split: str, defects: list[tuple[str, int, int]]) -> None:
        pixels = np.clip(110 + rng.normal(0, 6, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
        for x, y in SEATS.get(name, []):
            screw(pixels, x, y)
        digest = sha256_bytes(write_png(folder / "images" / f"{name}.png", pixels))
        image = ImageRecord(len(images) + 1, f"{name}.png", WIDTH, HEIGHT, f"object_{name}", split, "real", digest)
        images.append(image)
        for category, x, y in defects:
            annotations.append(
                Annotation.from_mask(
                    len(annotations) + 1, image.id, CATEGORIES.index(category) + 1, shape(category, x, y)
                )
            )

    for index in range(5):
        add(f"normal_{index}", "test" if index == 4 else "train", [])
    add("defect_0", "train", [("crack", 40, 40), ("scrap", 90, 60)])
    add("defect_1", "train", [("crack", 70, 70), ("screw", 24, 30)])
    add("defect_2", "train", [("scrap", 30, 30), ("screw", 84, 60)])
    add("defect_3", "test", [("crack", 60, 30), ("scrap", 80, 50), ("screw", 60, 24)])
    Dataset(
        images, annotations, [Category(i, name) for i, name in enumerate(CATEGORIES, 1)], {"mode": "L"}, folder
    ).save(folder)
    (folder / "manifest.json").write_text(json.dumps({"key": "ingest", "files": []}))
    return folder


@pytest.fixture
def scene() -> SimpleNamespace:
    """``shape(category, x, y)``, ``square(x, y, side)`` and ``SEATS``, for tests to compare with."""
    return SimpleNamespace(shape=shape, square=square, SEATS=SEATS)


Draw = Callable[..., None]


@pytest.fixture
def experts(tmp_path: Path) -> Path:
    folder = tmp_path / "experts"
    folder.mkdir()
    return folder


@pytest.fixture
def draw(experts: Path) -> Draw:
    """draw("a.json", "normal_0.png", [("scrap", [(x, y), ...]), ...]): one labelme file of polygons."""

    def write(file: str, photograph: str, shapes: list[tuple[str, list[tuple[float, float]]]]) -> None:
        (experts / file).write_text(
            json.dumps(
                {
                    "version": "5.5.0",
                    "flags": {},
                    "imagePath": photograph,
                    "imageData": None,
                    "imageHeight": HEIGHT,
                    "imageWidth": WIDTH,
                    "shapes": [
                        {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}}
                        for label, points in shapes
                    ],
                }
            )
        )

    return write


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
