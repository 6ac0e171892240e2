"""Where a method may change a photograph: the mask and the pixels within ``support_px`` of it."""

from __future__ import annotations

import cv2
import numpy as np


def grow(mask_01: np.ndarray, distance_px: int) -> np.ndarray:
    """mask_01 of all pixels within ``distance_px`` of the mask in x and in y (a square, the larger reading)."""
    side = 2 * distance_px + 1
    return cv2.dilate((mask_01 != 0).astype(np.uint8), np.ones((side, side), np.uint8)) if distance_px else mask_01


def union(masks: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """mask_01 (height, width) of everything any of the masks covers."""
    covered = np.zeros((height, width), np.uint8)
    for mask_01 in masks:
        covered |= (mask_01 != 0).astype(np.uint8)
    return covered
