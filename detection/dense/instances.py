"""From maps of probabilities to scored instances and one score of the photograph."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .config import DenseConfig

STRONGEST = 24
"""Pixels of a map that speak for a photograph: fewer than the smallest defect worth an alarm has."""


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


def instances(maps_KHW: np.ndarray, coarse_KHW: np.ndarray, config: DenseConfig, most: int = 100) -> list[Found]:
    """Connected regions of each map, best first, at most ``most``.

    A region reaches as far as its map is above ``low`` and counts where it is above ``high`` somewhere (hysteresis, as
    Canny 1986 does with edges), so that a faint stretch does not break a thin crack in two. ``coarse_KHW`` is the
    coarse head at the photograph's size. The score is the mean of the map in the region, times the square root of the
    coarse head's highest value there: a region that does not look like a defect from afar counts less.
    """
    found = []
    for label, (fine, coarse) in enumerate(zip(maps_KHW, coarse_KHW, strict=True), start=1):
        count, regions, stats, _ = cv2.connectedComponentsWithStats(
            (fine > config.low).astype(np.uint8), connectivity=8
        )
        for number in range(1, count):
            x, y, width, height, area = (int(value) for value in stats[number])
            if area < config.smallest:
                continue
            place = (slice(y, y + height), slice(x, x + width))
            inside = regions[place] == number
            values = fine[place][inside]
            if float(values.max()) < config.high:
                continue
            score = float(values.mean() * np.sqrt(coarse[place][inside].max()))
            found.append(Found(label, score, x, y, inside.astype(np.uint8)))
    return sorted(found, key=lambda item: -item.score)[:most]


def image_score(maps_KHW: np.ndarray, coarse_KHW: np.ndarray) -> float:
    """How likely the photograph shows a defect, in [0, 1]: over the categories the highest geometric mean of the coarse
    head's maximum and of the mean of the ``STRONGEST`` pixels of its map. The maximum of the map alone would let one
    odd pixel speak for the photograph.
    """
    scores = []
    for fine, coarse in zip(maps_KHW, coarse_KHW, strict=True):
        flat = fine.reshape(-1)
        most = min(STRONGEST, flat.size)
        strongest = float(np.partition(flat, -most)[-most:].mean())
        scores.append(float(np.sqrt(strongest * float(coarse.max()))))
    return max(scores, default=0.0)
