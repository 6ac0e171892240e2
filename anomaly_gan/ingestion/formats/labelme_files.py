"""Writing labelme files. They hold what labelme 5.5 to 7 all insist on: every key present, ``imageData`` null, the
exact size of the photograph, flags that are truth values, shapes with at least one point."""

from __future__ import annotations

import base64

import numpy as np

from ...core.images import encode_png
from ...core.masks import mask_box_xywh

VERSION = "5.5.0"
"""The oldest labelme that reads all of what is written; newer ones do not mind."""


def label_content(photograph: str, size_hw: tuple[int, int], shapes: list[dict[str, object]]) -> dict[str, object]:
    """The content of a labelme file; ``photograph`` is a path seen from the file's folder."""
    height, width = size_hw
    return {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": photograph,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def mask_shape(label: str, mask_01: np.ndarray, description: str = "") -> dict[str, object]:
    """A brush mask of labelme from a non-empty mask_01 (H, W): holes and parts stay, pixel for pixel."""
    x, y, w, h = mask_box_xywh(mask_01)
    bitmap = np.ascontiguousarray(mask_01[y : y + h, x : x + w])
    return {
        "label": label,
        "points": [[float(x), float(y)], [float(x + w - 1), float(y + h - 1)]],
        "group_id": None,
        "description": description,
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(encode_png(bitmap)).decode("ascii"),
    }
