"""A defect cut out with its surroundings, at native scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...core.masks import mask_box_xywh, union

NEAR_PX = 24
"""Surroundings that a defect's window holds on each side."""


@dataclass(frozen=True)
class Window:
    """A cut at native scale: ``pixels`` (h, w[, 3]) uint8, ``mask_01`` (h, w) of this defect, ``others_01`` of
    whatever else is labelled there."""

    pixels: np.ndarray
    mask_01: np.ndarray
    others_01: np.ndarray


def near(mask_01: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a mask's box with ``NEAR_PX`` around it."""
    x, y, width, height = mask_box_xywh(mask_01) if mask_01.any() else (0, 0, 0, 0)
    return slice(max(0, y - NEAR_PX), y + height + NEAR_PX), slice(max(0, x - NEAR_PX), x + width + NEAR_PX)


def window_around(pixels: np.ndarray, mask_01: np.ndarray, others: Iterable[np.ndarray] = ()) -> Window:
    """The defect of a mask (H, W) with ``NEAR_PX`` around its box, clipped to the photograph; ``others`` are drawn one
    after the other."""
    cut = near(mask_01)
    # copies, so that the whole photograph is not kept alive by a view into it
    return Window(pixels[cut].copy(), mask_01[cut].copy(), union((other[cut] for other in others), *mask_01[cut].shape))
