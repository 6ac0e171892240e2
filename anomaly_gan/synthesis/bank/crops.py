"""A crop of a painted photograph at its own scale."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

JITTER = 0.25
"""How far the defect may lie from the crop's centre, as a share of its side."""


def cut_crop(
    pixels: np.ndarray, mask_01: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A square of ``size`` pixels that shows part of the mask, and the mask in it.

    Photographs smaller than that are mirrored at their lower and right border, and their masks with them.

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = np.nonzero(mask_01)
    if not len(rows):
        raise ValueError("nothing to cut a crop around: the mask is empty")
    pick = int(rng.integers(len(rows)))
    shift = rng.uniform(-JITTER, JITTER, 2) * size
    corner = []
    for centre, shifted, side in zip((rows[pick], columns[pick]), shift, pixels.shape[:2], strict=True):
        corner.append(int(np.clip(round(centre + shifted - size / 2), 0, max(0, side - size))))
    top, left = corner
    return tuple(_whole(plane[top : top + size, left : left + size], size) for plane in (pixels, mask_01))  # type: ignore[return-value]


def inside(shape_hw: Sequence[int], size: int) -> list[int]:
    """Height and width of what is the photograph's in a crop of ``size`` pixels; the rest is its mirror image."""
    return [min(side, size) for side in shape_hw[:2]]


def _whole(part: np.ndarray, size: int) -> np.ndarray:
    """The part mirrored to a full square, again and again where it is less than half of one."""
    while min(part.shape[:2]) < size:
        down, right = (min(size - side, side - 1) if side > 1 else size - side for side in part.shape[:2])
        mode = cv2.BORDER_REFLECT_101 if min(part.shape[:2]) > 1 else cv2.BORDER_REPLICATE
        part = cv2.copyMakeBorder(part, 0, down, 0, right, mode)
    return np.ascontiguousarray(part)
