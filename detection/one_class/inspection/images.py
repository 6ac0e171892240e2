"""From a photograph of any size to the square that a detector looks at."""

from __future__ import annotations

import cv2
import numpy as np

LEVEL = 128
"""Gray level that the border of a flattened photograph gets."""
BORDER_SHARE = 0.05
"""Width of the border as a share of the shorter side."""


def to_square(pixels: np.ndarray, size: int, flatten: bool = False) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> (C, size, size) uint8: the whole photograph; its proportions are not kept.

    A side that shrinks is averaged by area, one that grows is interpolated linearly. ``flatten``: see
    :func:`flatten_brightness`.
    """
    shown = flatten_brightness(pixels) if flatten else pixels
    height, width = shown.shape[:2]
    if height > size or width > size:
        shown = cv2.resize(shown, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    if shown.shape[:2] != (size, size):
        shown = cv2.resize(shown, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(shown[None] if shown.ndim == 2 else shown.transpose(2, 0, 1))


def flatten_brightness(pixels: np.ndarray) -> np.ndarray:
    """The photograph (H, W[, 3]) uint8 with each channel scaled so that the median of its border is ``LEVEL``.

    Removes the exposure of the single photograph where the background runs round the part (screws on white). What is
    then brighter than 255 is clipped: do not use it for bright parts on black.
    """
    height, width = pixels.shape[:2]
    wide = max(1, round(min(height, width) * BORDER_SHARE))
    planes = pixels.reshape(height, width, -1)
    inner = np.zeros((height, width), bool)
    inner[wide : height - wide, wide : width - wide] = True
    level = np.median(planes[~inner], axis=0)
    values = np.arange(256)[:, None] * (LEVEL / np.maximum(level, 1.0))
    table = np.rint(values).clip(0, 255).astype(np.uint8)
    scaled = [cv2.LUT(np.ascontiguousarray(planes[..., channel]), table[:, channel]) for channel in range(len(level))]
    return np.stack(scaled, axis=-1).reshape(pixels.shape)
