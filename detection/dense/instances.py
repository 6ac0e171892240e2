"""From maps of probabilities to scored instances and one score of the photograph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .config import DenseConfig

STEP = 0.85
"""From one level of a map to the next."""
STRONGEST = 24
"""Pixels of a map that speak for a photograph."""


@dataclass(frozen=True)
class Found:
    """One instance: ``label`` from 1, ``score`` in [0, 1], and its bitmap uint8 (h, w) with its corner at (x, y)."""

    label: int
    score: float
    x: int
    y: int
    bitmap_01: np.ndarray


@dataclass(frozen=True)
class Inspected:
    """One photograph at its own size: instances, best first; ``score`` of the whole in [0, 1] and ``maps_KHW`` in
    [0, 1], where the detector gives them."""

    found: list[Found]
    score: float | None = None
    maps_KHW: np.ndarray | None = None


def instances(maps_KHW: np.ndarray, config: DenseConfig, most: int = 100) -> list[Found]:
    """The peaks of each map with the region around them, best first, at most ``most``; the score is the mean of the map
    in the region.
    """
    found = []
    for label, fine in enumerate(maps_KHW, start=1):
        for (x, y), inside in regions(fine, config):
            values = fine[y : y + inside.shape[0], x : x + inside.shape[1]][inside]
            found.append(Found(label, float(values.mean()), x, y, inside.astype(np.uint8)))
    return sorted(found, key=lambda item: -item.score)[:most]


def regions(map_HW: np.ndarray, config: DenseConfig) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Corner (x, y) and shape, bool (h, w), of the region around every peak that reaches ``faintest``.

    A region reaches as far as the map is above ``reach`` times its peak, so that a net that is not sure yet draws the
    same outlines as one that is; one threshold for all would cut off whatever stays below it. From the highest level
    down, a connected region becomes an instance at the first level at or below its share of the peak, unless it has
    met another one before: then it is a part of that.
    """
    claimed = np.zeros(map_HW.shape, bool)
    peak = float(map_HW.max(initial=0.0))
    level = 1.0
    while level > config.faintest * config.reach:
        level *= STEP
        if level >= peak:
            continue
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((map_HW > level).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            x, y, width, height, area = (int(value) for value in stats[number])
            place = (slice(y, y + height), slice(x, x + width))
            inside = numbers[place] == number
            highest = float(map_HW[place][inside].max())
            if highest < config.faintest or level > config.reach * highest or claimed[place][inside].any():
                continue
            claimed[place] |= inside
            if area >= config.smallest:
                yield (x, y), inside


def image_score(maps_KHW: np.ndarray) -> float:
    """How likely the photograph shows a defect of any category, in [0, 1].

    Of each category the mean of the ``STRONGEST`` pixels of its map; of all together 1 - (1 - s1)(1 - s2) ...: a
    defect often stands in several maps, and faintly in each. The maximum of a map alone would let one odd pixel speak
    for the photograph.
    """
    none = 1.0
    for fine in maps_KHW:
        flat = fine.reshape(-1)
        most = min(STRONGEST, flat.size)
        none *= 1 - float(np.partition(flat, -most)[-most:].mean())
    return 1 - none
