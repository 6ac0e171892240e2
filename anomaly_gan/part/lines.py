"""Which way the lines of a surface run: the structure tensor of a place (Bigün and Granlund 1987)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SMOOTH_PX = 1.0
"""Photographs are blurred by so much before their gradient is taken."""
RIM_PX = 2
"""So near to its outline what is in a mask is its edge."""
LEAST_PX = 30
COHERENT = 0.2
"""Share of the gradient's energy that must point one way before lines are seen."""


@dataclass(frozen=True)
class Lines:
    """``angle``: where they run, radians from the x axis towards y (down), axial. ``coherence`` in [0, 1]."""

    angle: float
    coherence: float

    @property
    def seen(self) -> bool:
        return self.coherence >= COHERENT


def lines_in(gray: np.ndarray, mask_01: np.ndarray) -> Lines | None:
    """The lines in a mask (H, W), its outline left aside; None where it is too small, or flat.

    Args:
        gray: uint8 (H, W).
        mask_01: the same size.
    """
    padded = np.pad((mask_01 != 0).astype(np.uint8), RIM_PX, mode="edge")
    inside = cv2.erode(padded, np.ones((2 * RIM_PX + 1,) * 2, np.uint8))[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] != 0
    if np.count_nonzero(inside) < LEAST_PX:
        return None
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), SMOOTH_PX)
    across, down = (cv2.Scharr(smooth, cv2.CV_32F, *order)[inside] for order in ((1, 0), (0, 1)))
    energy = float((across**2 + down**2).sum())
    if energy <= 0:
        return None
    tensor = complex(((across + 1j * down) ** 2).sum())
    return Lines(float(np.angle(tensor) / 2 + np.pi / 2), abs(tensor) / energy)
