"""Outlines to pixels in our own hands: foreign coordinates never reach native code.

Convention: the pixel in column c and row r covers [c, c+1) x [r, r+1); it belongs to a shape where its centre
(c + 0.5, r + 0.5) lies inside by the even-odd rule. A rectangle from (10, 10) to (20, 20) thus has 100 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

FARTHEST = 1e6
MAX_CROSSINGS = 4_000_000
"""Rows that the edges of one outline may cross in all: 2 s and 250 MB; a drawn outline crosses some thousands."""


class ShapeFault(ValueError):
    """A shape that cannot be drawn: ``code`` of the catalogue and a reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def read_points(value: Any) -> np.ndarray:
    """A JSON list of [x, y] as float64 (N, 2).

    Raises:
        ShapeFault: C8 for what is no finite number within +-1e6 (booleans and strings are no numbers).
    """
    if not isinstance(value, list):
        raise ShapeFault("C8", "points must be a list of [x, y]")
    for index, point in enumerate(value):
        if not isinstance(point, list) or len(point) != 2:
            raise ShapeFault("C8", f"point {index} is not [x, y]")
        for number in point:
            check_number(number, f"point {index}")
    return np.array(value, dtype=np.float64).reshape(-1, 2)


def check_number(number: Any, place: str) -> float:
    """The number itself, where it is one a coordinate can be; otherwise ShapeFault C8."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ShapeFault("C8", f"{place} has {str(number)[:20]!r}, which is not a number")
    if not abs(number) <= FARTHEST:  # NaN fails every comparison
        raise ShapeFault("C8", f"{place} has the coordinate {str(number)[:24]}, beyond any photograph")
    return float(number)


def check_ring(points: np.ndarray) -> None:
    """Refuse (C6) rings of fewer than 3 points and rings without extent; crossings are allowed (even-odd)."""
    if len(points) < 3:
        raise ShapeFault("C6", f"has {len(points)} points, needs 3")
    spread = points - points[0]
    longest = spread[np.argmax((spread**2).sum(axis=1))]
    if np.abs(spread[:, 0] * longest[1] - spread[:, 1] * longest[0]).max() <= 1e-9 * max(1.0, float(longest @ longest)):
        raise ShapeFault("C6", "its points lie on one line: the area is 0")


def leaves_image(points: np.ndarray, size_hw: tuple[int, int]) -> bool:
    """Whether some point lies outside the photograph by more than a rounding (0.5 pixel)."""
    height, width = size_hw
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(low.min() < -0.5 or high[0] > width + 0.5 or high[1] > height + 0.5)


def mostly_inside(points: np.ndarray, size_hw: tuple[int, int]) -> bool:
    """Whether the outline lies inside the photograph; False where it must be clipped.

    Raises:
        ShapeFault: C7 more than half of its area lies outside: it was drawn on another picture, or at another scale.
    """
    if not leaves_image(points, size_hw):
        return True
    height, width = size_hw
    whole = _area(points)
    inside = _area(_clip(_clip(points, 0, width), 1, height))
    if whole > 0 and inside < 0.5 * whole and whole > 1:
        lost = 1 - inside / whole
        raise ShapeFault("C7", f"lies with {lost:.0%} of its area outside the photograph of {width}x{height}")
    return False


def _area(points: np.ndarray) -> float:
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _clip(points: np.ndarray, axis: int, high: float) -> np.ndarray:
    """The ring cut to 0 .. ``high`` along one axis (Sutherland and Hodgman's way)."""
    for sign, bound in ((1.0, 0.0), (-1.0, -high)):
        kept: list[np.ndarray] = []
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            a, b = sign * start[axis] - bound, sign * end[axis] - bound
            if a >= 0:
                kept.append(start)
            if (a >= 0) != (b >= 0):
                kept.append(start + (end - start) * (a / (a - b)))
        points = np.array(kept, np.float64).reshape(-1, 2)
    return points


def fill_ring(points: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """mask_01 (H, W) of the ring ``points`` (N, 2) by the even-odd rule.

    A ring so small that it holds no pixel centre marks the pixel under its centroid.

    Raises:
        ShapeFault: C6 degenerate, C7 wholly outside, C14 more edges than can be drawn in bounded time.
    """
    check_ring(points)
    height, width = size_hw
    low, high = points.min(axis=0), points.max(axis=0)
    if high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height:
        raise ShapeFault("C7", f"lies wholly outside the photograph of {width}x{height}")
    start, end = points, np.concatenate([points[1:], points[:1]])
    # of every edge the first row of pixels whose middle it crosses, and the last
    reach = np.ceil(np.sort([start[:, 1], end[:, 1]], axis=0) - 0.5).clip(0, height).astype(np.int64)
    first, lines = reach[0], reach[1] - reach[0]
    if lines.sum() > MAX_CROSSINGS:
        raise ShapeFault("C14", "has too many long edges to be a drawn outline")
    edge = np.repeat(np.arange(len(points)), lines)
    row = np.arange(edge.size) - np.repeat(np.cumsum(lines) - lines, lines) + np.repeat(first, lines)
    rise = end[edge, 1] - start[edge, 1]
    x = start[edge, 0] + (row + 0.5 - start[edge, 1]) * (end[edge, 0] - start[edge, 0]) / rise
    column = np.ceil(x - 0.5).clip(0, width).astype(np.int64)
    mask_01 = np.zeros(size_hw, np.uint8)  # only the outline's own box of it is looked at
    if row.size:
        top, left, bottom, right = int(row.min()), int(column.min()), int(row.max()) + 1, int(column.max())
        flips = np.zeros((bottom - top, right - left + 1), np.uint8)
        np.bitwise_xor.at(flips, (row - top, column - left), 1)
        inside = np.bitwise_xor.accumulate(flips, axis=1)[:, : right - left]
        mask_01[top:bottom, left:right] = inside
    if not row.size or not inside.any():
        x_middle, y_middle = points.mean(axis=0)
        if 0 <= x_middle < width and 0 <= y_middle < height:
            mask_01[int(y_middle), int(x_middle)] = 1
    return mask_01


def ellipse_ring(center: Sequence[float], half_axes: np.ndarray, steps: int = 360) -> np.ndarray:
    """Ring (steps, 2) of the ellipse center + cos(t) half_axes[0] + sin(t) half_axes[1]."""
    angle = np.arange(steps) * (2 * math.pi / steps)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(center, np.float64) + circle @ np.asarray(half_axes, np.float64)


def fill_line(points: np.ndarray, line_width: float, size_hw: tuple[int, int]) -> np.ndarray:
    """mask_01 (H, W) of a drawn line: pixels whose centre is within ``line_width`` / 2 of it."""
    if len(points) < 2 or not np.ptp(points, axis=0).any():
        raise ShapeFault("C6", "a line needs 2 different points")
    height, width = size_hw
    mask_01 = np.zeros(size_hw, np.uint8)
    reach = line_width / 2
    for start, end in pairwise(points):
        low = np.floor(np.minimum(start, end) - reach).astype(int).clip(0, (width, height))
        high = np.ceil(np.maximum(start, end) + reach).astype(int).clip(0, (width, height))
        if (high <= low).any():
            continue
        grid = np.stack(np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5), axis=-1)
        way = end - start
        along = ((grid - start) @ way / max(float(way @ way), 1e-12)).clip(0, 1)[..., None]
        near = ((grid - start - along * way) ** 2).sum(axis=-1) <= reach**2
        mask_01[low[1] : high[1], low[0] : high[0]] |= near.astype(np.uint8)
    if not mask_01.any():
        raise ShapeFault("C7", f"lies wholly outside the photograph of {width}x{height}")
    return mask_01
