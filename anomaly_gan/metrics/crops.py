"""The defect and a little of its surroundings, cut at native resolution: where whole-image figures see little."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.masks import mask_box_xywh


def defect_crop(pixels: np.ndarray, mask_01: np.ndarray, margin: float = 0.5, least: int = 32) -> np.ndarray:
    """A square crop of (H, W[, 3]) uint8 pixels around the mask's box.

    Its side is the box's longer side times ``1 + 2 margin``, at least ``least`` pixels; the margin shrinks where the
    photograph is narrower than that, and only a box longer than the photograph is wide is filled up by reflection.

    Raises:
        ValueError: the mask is empty.
    """
    x, y, width, height = mask_box_xywh(mask_01)
    wanted = max(least, round(max(width, height) * (1.0 + 2.0 * margin)))
    side = max(width, height, min(wanted, *pixels.shape[:2]))
    top, bottom = _span(y + height / 2, side, pixels.shape[0])
    left, right = _span(x + width / 2, side, pixels.shape[1])
    crop = pixels[top:bottom, left:right]
    down, across = side - crop.shape[0], side - crop.shape[1]
    if not (down or across):
        return crop
    return cv2.copyMakeBorder(crop, down // 2, down - down // 2, across // 2, across - across // 2, cv2.BORDER_REFLECT)


def masked_crop(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """The defect alone: a tight square crop with the defect's mean level wherever the mask is not set.

    The paper's crops X (.) M; its black surroundings would let the outline outweigh what is inside it.

    Raises:
        ValueError: the mask is empty.
    """
    x, y, width, height = mask_box_xywh(mask_01)
    box = slice(y, y + height), slice(x, x + width)
    level = np.rint(pixels[box][mask_01[box] != 0].mean(axis=0)).astype(pixels.dtype)
    crop, inside = (defect_crop(one, mask_01, margin=0.1) for one in (pixels, mask_01))
    alone = np.empty_like(crop)
    alone[...] = level
    alone[inside != 0] = crop[inside != 0]
    return alone


def _span(centre: float, side: int, limit: int) -> tuple[int, int]:
    if side >= limit:
        return 0, limit
    start = min(max(round(centre - side / 2), 0), limit - side)
    return start, start + side
