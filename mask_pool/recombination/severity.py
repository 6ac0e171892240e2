"""The sizes by which a mask's severity is measured; what a severity asks for is ``rules.SeverityScale``."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anomaly_gan.core.masks import Axes


@dataclass(frozen=True)
class Measures:
    """Sizes of one mask: pixels, longest distance across in pixels, elongation (>= 1), 8-connected parts."""

    area_px: int
    length_px: float
    elongation: float
    parts: int

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "area_px": self.area_px,
            "length_px": round(self.length_px, 3),
            "elongation": round(self.elongation, 4),
            "parts": self.parts,
        }


def measure(mask_01: np.ndarray) -> Measures:
    """Sizes of a non-empty mask_01 (h, w).

    The length is the largest distance between two pixels' centres, plus one: a row of n pixels has length n. The
    elongation is the ratio of the standard deviations along the two main axes, each pixel taken as a square.

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = np.nonzero(mask_01)
    if rows.size == 0:
        raise ValueError("an empty mask has no size")
    points = np.stack([columns, rows], axis=1)
    hull = cv2.convexHull(points.astype(np.int32)).reshape(-1, 2).astype(float)
    between = hull[:, None] - hull[None]
    length = 1.0 + float(np.sqrt((between**2).sum(axis=2).max()))
    parts = cv2.connectedComponents((np.asarray(mask_01) != 0).astype(np.uint8), connectivity=8)[0] - 1
    return Measures(int(rows.size), length, Axes.of_points(points).ratio, parts)
