"""Where a surface that fills its photograph ends: at the photograph's border, or at the dark gap beside it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIDES: tuple[tuple[int, int], ...] = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""Outward directions (x, y): top, right, bottom, left; a quarter turn to the right takes each to the next."""
BLOCKS = 12
"""Places along a side at which the gap is looked for."""
DEEPEST = 0.12
"""The widest gap, as a share of the photograph across the side."""
BEYOND_PX = 8
"""The surface is known from this many pixels beyond the gap."""
DARK = 0.6
"""A gap is darker than this share of the surface beside it."""
LEAST_BLOCKS = 0.5
"""Share of a side's places that must show a gap before it is taken for one."""


@dataclass(frozen=True, eq=False)
class Surface:
    """``gaps`` (4, BLOCKS): width in pixels of the gap at places along each of ``SIDES`` (0: none)."""

    height: int
    width: int
    gaps: np.ndarray

    @classmethod
    def of(cls, gray: np.ndarray) -> Surface:
        """Of a photograph (H, W) uint8."""
        smooth = cv2.GaussianBlur(gray, (3, 3), 0)
        views = (smooth, smooth.T[::-1], smooth[::-1], smooth.T)
        return cls(gray.shape[0], gray.shape[1], np.stack([_gaps(view) for view in views]))

    def edge(self, side: int, along: float) -> float:
        """Width of the gap at a place along a side, 0 to 1 from its left or upper end."""
        return float(np.interp(along, (np.arange(BLOCKS) + 0.5) / BLOCKS, self.gaps[side]))

    def inside(self, side: int, bitmap: np.ndarray, x: int, y: int) -> float:
        """How far inside the surface a mask_01 with its corner at pixel (x, y) begins, seen from a side; below 0 where
        it reaches into the gap."""
        height, width = bitmap.shape
        begins = (y, self.width - x - width, self.height - y - height, x)[side]
        middle = (x + width / 2) / self.width if side % 2 == 0 else (y + height / 2) / self.height
        return begins - self.edge(side, float(np.clip(middle, 0, 1)))


def _gaps(view: np.ndarray) -> np.ndarray:
    """(BLOCKS,) widths of the gap along the upper side of a view (h, w)."""
    height, width = view.shape
    deepest = max(2, int(DEEPEST * height))
    if height < deepest + BEYOND_PX + 1 or width < BLOCKS:
        return np.zeros(BLOCKS)
    strip = view[: deepest + BEYOND_PX].astype(np.float32)
    profile = np.stack([np.median(part, axis=1) for part in np.array_split(strip, BLOCKS, axis=1)], axis=1)
    found = np.zeros(BLOCKS)
    for at, column in enumerate(profile.T):
        means = np.cumsum(column) / np.arange(1, len(column) + 1)
        rises = column[2 : deepest + 2] - column[:deepest]
        cut = int(np.argmax(rises)) + 1
        if means[cut - 1] < DARK * column[cut + 1 : cut + 1 + BEYOND_PX].mean() and rises[cut - 1] > 0:
            found[at] = cut
    seen = found > 0
    if seen.mean() < LEAST_BLOCKS:
        return np.zeros(BLOCKS)
    places = np.arange(BLOCKS)
    return np.interp(places, places[seen], found[seen])
