"""Of several places for a mask, the one that looks around it as it did around the mask where that was cut or drawn.

A thread defect belongs between threads as its own lay, a washer on a plate and not on a bolt. What is compared is a
ring around the mask, moved as the mask is: the deviation of the difference of logarithms, so that light does not count.
What is beneath a mask cannot be compared, for there the defect hides it; where no part tells what it may be, a place is
the better the flatter it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from anomaly_gan.core.masks import grow

from ..elements.real import Element
from ..recombination.recombine import Turned

PLACES_TRIED, FLAT_TRIED, UNEVEN = 8, 32, 4.0
"""Places drawn for a turned mask, of which the one with the most alike surroundings is taken; and as many where what is
beneath it counts, too: its deviation so many times as much as that of the surroundings. Of 48 bolts and washers of the
sample set 17 lay over a bolt or an edge with 8 places and nothing for what is beneath; 10 with 8 and as much for
either, 6 with 16 and twice as much, 5 as it is; of 48 others, on which nothing was chosen, 30 before and 10 now."""
NEAR_PX, FAR_PX, POINTS = 3, 11, 256
"""The ring lies so far from a mask; at most about so many of its pixels are looked at."""
LEAST_SEEN = 0.5
"""Least share of the ring that must lie on both photographs."""
GRAIN_PX = 1.2
FLOOR = 64.0
"""Added to grey levels before their logarithm is taken, so that dark places do not count more than others."""
KEPT = 4

Place = tuple[int, int, dict[str, object]]


class Surroundings:
    """Compares places for masks; ``gray``: file name -> photograph (H, W) uint8, None where there is none (an expert
    may have drawn on another)."""

    def __init__(self, gray: Callable[[str], np.ndarray | None]) -> None:
        self._gray = gray
        self._kept: OrderedDict[str, np.ndarray | None] = OrderedDict()
        self._own: WeakKeyDictionary[Element, tuple[np.ndarray, int, int] | None] = WeakKeyDictionary()

    def best(
        self, turned: Turned, file: str, draw: Callable[[Turned], Place | None], flat: bool = False
    ) -> Place | None:
        """Of the places that ``draw`` gives for a mask on the photograph ``file``, the most alike; None where it gives
        none. ``flat``: what is beneath the mask counts, too."""
        found = []
        for _ in range(FLAT_TRIED if flat else PLACES_TRIED):
            place = draw(turned)
            if place is None:
                break
            found.append(place)
        if len(found) < 2:
            return found[0] if found else None
        unlike, there = self._compared(turned, file), self._levels(file)
        if not flat or there is None:
            return min(found, key=lambda place: unlike(*place[:2]))
        beneath = _beneath(turned.bitmap)
        return min(found, key=lambda place: unlike(*place[:2]) + UNEVEN * _unevenness(beneath, there, *place[:2]))

    def misfit(self, turned: Turned, x: int, y: int, file: str) -> float:
        """How much the surroundings of a mask, its corner at pixel (x, y) of ``file``, differ from its own; 0 where too
        little of them is seen."""
        return self._compared(turned, file)(x, y)

    def _compared(self, turned: Turned, file: str) -> Callable[[int, int], float]:
        """``misfit`` of one mask on one photograph, its own ring looked at once."""
        ring, there = self._own_ring(turned), self._levels(file)
        if ring is None or there is None:
            return lambda x, y: 0.0
        return partial(_misfit, *ring, there)

    def _own_ring(self, turned: Turned) -> tuple[np.ndarray, np.ndarray] | None:
        """Pixels (N, 2) of the ring around a turned mask, (x, y) from its corner, and the levels (N,) that its own
        photograph has there, NaN beyond it; None where that photograph is not at hand."""
        around = self._around(turned.element)
        if around is None:
            return None
        (own, left, top), points = around, _ring(turned.bitmap)
        back = cv2.invertAffineTransform(turned.affine)
        before = np.rint(points @ back[:, :2].T + back[:, 2] - (left, top)).astype(int)
        known, was = _inside(before, own), np.full(len(points), np.nan, np.float32)
        was[known] = own[before[known, 1], before[known, 0]]
        return points, was

    def _around(self, element: Element) -> tuple[np.ndarray, int, int] | None:
        """Levels of the window around an element on its own photograph, and the window's corner (x, y)."""
        if element not in self._own:
            x, y, width, height = element.box
            left, top, reach = max(0, x - 2 * FAR_PX), max(0, y - 2 * FAR_PX), 2 * FAR_PX
            levels = self._levels(element.parent_image)
            window = None if levels is None else levels[top : y + height + reach, left : x + width + reach].copy()
            self._own[element] = None if window is None else (window, left, top)
        return self._own[element]

    def _levels(self, file: str) -> np.ndarray | None:
        """Logarithms of a photograph's grey levels, grain smoothed away; the latest few are kept."""
        if file not in self._kept:
            gray = self._gray(file)
            smooth = None if gray is None else cv2.GaussianBlur(gray, (0, 0), GRAIN_PX).astype(np.float32)
            self._kept[file] = None if smooth is None else np.log(smooth + FLOOR)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(file)
        return self._kept[file]


def _ring(bitmap: np.ndarray) -> np.ndarray:
    """(N, 2) pixels (x, y) of the ring around a bitmap, from its corner."""
    padded = np.pad(bitmap, FAR_PX)
    points = np.argwhere((grow(padded, FAR_PX) != 0) & (grow(padded, NEAR_PX) == 0))[:, ::-1] - FAR_PX
    return points[:: max(1, len(points) // POINTS)]


def _beneath(bitmap: np.ndarray) -> np.ndarray:
    """(N, 2) pixels (x, y) of a bitmap and up to the ring around it, from its corner."""
    points = np.argwhere(grow(np.pad(bitmap, NEAR_PX), NEAR_PX))[:, ::-1] - NEAR_PX
    return points[:: max(1, len(points) // POINTS)]


def _unevenness(points: np.ndarray, there: np.ndarray, x: int, y: int) -> float:
    """Deviation of the levels beneath a mask, its corner at pixel (x, y)."""
    after = points + np.array([x, y])
    after = after[_inside(after, there)]
    return float(np.std(there[after[:, 1], after[:, 0]])) if len(after) else 0.0


def _misfit(points: np.ndarray, was: np.ndarray, there: np.ndarray, x: int, y: int) -> float:
    after = points + np.array([x, y])
    known = _inside(after, there) & np.isfinite(was)
    if np.count_nonzero(known) < LEAST_SEEN * len(points):
        return 0.0
    return float(np.std(there[after[known, 1], after[known, 0]] - was[known]))


def _inside(points: np.ndarray, plane: np.ndarray) -> np.ndarray:
    return np.logical_and.reduce(
        [points[:, 0] >= 0, points[:, 1] >= 0, points[:, 0] < plane.shape[1], points[:, 1] < plane.shape[0]]
    )
