"""Instances found in overlapping windows of one photograph, put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..dense.instances import Found
from ..tiles import Window

SAME = 0.5
"""Two masks of one category are one instance where, in what both windows show, they share this part of the smaller."""


Placed = tuple[Found, tuple[Window, ...]]
"""An instance in the photograph's frame, and the windows that it was found in."""


def stitched(placed: Sequence[tuple[Found, Window]]) -> list[Found]:
    """Instances in the photograph's frame, best first: those of one category from different windows that agree in what
    both windows show become their union, with the higher score.
    """
    merged: list[Placed] = []
    for found, window in sorted(placed, key=lambda pair: -pair[0].score):
        item: Placed = (found, (window,))
        same = [other for other in merged if other[0].label == found.label and _one_instance(item, other)]
        for other in same:
            merged.remove(other)
            item = (_union(other[0], item[0]), (*other[1], *item[1]))
        merged.append(item)
    return sorted((found for found, _ in merged), key=lambda found: -found.score)


def _one_instance(one: Placed, other: Placed) -> bool:
    for window in one[1]:
        for beside in other[1]:
            if window == beside:
                continue
            top, left = max(window.y, beside.y), max(window.x, beside.x)
            bottom = min(window.y + window.height, beside.y + beside.height)
            right = min(window.x + window.width, beside.x + beside.width)
            if bottom > top and right > left:
                parts = [_part(item[0], top, left, bottom, right) for item in (one, other)]
                smaller = min(int(np.count_nonzero(part)) for part in parts)
                if smaller and int(np.count_nonzero(parts[0] & parts[1])) >= SAME * smaller:
                    return True
    return False


def _part(found: Found, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """The mask in that part of the photograph."""
    part = np.zeros((bottom - top, right - left), np.uint8)
    height, width = found.bitmap_01.shape
    y1, y2 = max(top, found.y), min(bottom, found.y + height)
    x1, x2 = max(left, found.x), min(right, found.x + width)
    if y2 > y1 and x2 > x1:
        part[y1 - top : y2 - top, x1 - left : x2 - left] = found.bitmap_01[
            y1 - found.y : y2 - found.y, x1 - found.x : x2 - found.x
        ]
    return part


def _union(one: Found, other: Found) -> Found:
    top, left = min(one.y, other.y), min(one.x, other.x)
    bottom = max(one.y + one.bitmap_01.shape[0], other.y + other.bitmap_01.shape[0])
    right = max(one.x + one.bitmap_01.shape[1], other.x + other.bitmap_01.shape[1])
    bitmap = np.zeros((bottom - top, right - left), np.uint8)
    for item in (one, other):
        height, width = item.bitmap_01.shape
        bitmap[item.y - top : item.y - top + height, item.x - left : item.x - left + width] |= item.bitmap_01
    return Found(one.label, max(one.score, other.score), left, top, bitmap)
