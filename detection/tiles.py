"""Photographs of any size in overlapping windows, and how what was found in the windows comes together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """A part of a photograph, in its pixels."""

    y: int
    x: int
    height: int
    width: int


def windows(height: int, width: int, tile: int, overlap: int) -> list[Window]:
    """Windows of at most ``tile`` a side that cover (height, width); neighbours share at least ``overlap`` pixels.

    All windows of a photograph that is larger than ``tile`` have the same size; they are spread evenly.
    """
    return [
        Window(y, x, min(tile, height), min(tile, width))
        for y in _starts(height, tile, overlap)
        for x in _starts(width, tile, overlap)
    ]


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    if side <= tile:
        return [0]
    count = -(-(side - overlap) // (tile - overlap))
    return [round(number * (side - tile) / (count - 1)) for number in range(count)]


def ramp(height: int, width: int, overlap: int) -> np.ndarray:
    """Weight float32 (height, width): falls towards the edges over ``overlap`` pixels, never to zero."""
    sides = []
    for side in (height, width):
        near = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0
        sides.append(np.minimum(near / (overlap + 1.0), 1.0))
    return np.outer(sides[0], sides[1]).astype(np.float32)


def blended(
    pixels: np.ndarray, channels: int, tile: int, overlap: int, work: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Maps float32 (channels, H, W) of a photograph: ``work`` gives (channels, h, w) of each window, and where windows
    overlap, the mean weighted towards their middles. One window's work is in memory at a time.
    """
    height, width = pixels.shape[:2]
    parts = windows(height, width, tile, overlap)
    if len(parts) == 1:
        return work(pixels)
    total = np.zeros((channels, height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    weight = ramp(parts[0].height, parts[0].width, overlap)
    for part in parts:
        place = (slice(part.y, part.y + part.height), slice(part.x, part.x + part.width))
        total[(slice(None), *place)] += work(pixels[place]) * weight
        weights[place] += weight
    total /= weights
    return total
