"""The part's own frame: where a point lies on the part, however the part lies on its photograph.

``axis``: unrolled along the main axis; a runs from 0 at one end to 1 at the other, b from -1 to 1 between the two
sides of the outline there. ``round``: polar; a is the angle (radians), b the distance from the centre over that of the
outline. ``fixed``: the part lies alike on all photographs; a and b are x and y from its centre, in square roots of its
area. One class for the three: they differ in ``locate``, ``point`` and ``angle`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.masks import Axes
from .foreground import Foreground

BINS = 48
"""Places along the axis, or around the centre, at which the outline is kept."""
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
LEAST_HALF = 0.4
"""Half the part's width is taken as at least this share of its median: at a tip all sides are near."""

Kind = Literal["axis", "round", "fixed"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Lengths in pixels of the photograph. ``turn``: the axis' direction in radians (from a = 0 to a = 1).

    ``begin`` and ``length`` of the axis; ``middle`` and ``half`` (BINS,) of the outline across it, or ``half`` alone
    around the centre.
    """

    kind: Kind
    centre: np.ndarray
    size: float
    turn: float
    begin: float
    length: float
    middle: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, part: Foreground, kind: Kind, backwards: bool = False) -> Frame:
        """The frame of a part; ``backwards``: the axis from its other end."""
        points = part.points()
        centre, size = points.mean(axis=0), float(np.sqrt(len(points)) / part.factor)
        if kind == "fixed":
            return cls(kind, centre, size, 0.0, 0.0, size, np.zeros(1), np.ones(1))
        if kind == "round":
            x, y = (points - centre).T
            bins = ((np.arctan2(y, x) / (2 * np.pi) % 1.0) * BINS).astype(int) % BINS
            reach = np.zeros(BINS)
            np.maximum.at(reach, bins, np.hypot(x, y) + 0.5)
            reach = _smooth(np.where(reach > 0, reach, np.nan), around=True)
            return cls(kind, centre, size, 0.0, 0.0, size, np.zeros(1), reach)
        axis = Axes.of_points(points).vectors[0]
        # to the right, or down; ``backwards`` turns that round
        left = axis[0] < -1e-9 or (abs(axis[0]) <= 1e-9 and axis[1] < 0)
        axis = -axis if left != backwards else axis
        across_axis = np.array([-axis[1], axis[0]])
        along, across = (points - centre) @ axis, (points - centre) @ across_axis
        begin, length = float(along.min() - 0.5), float(np.ptp(along) + 1)
        bins = np.minimum(((along - begin) / length * BINS).astype(int), BINS - 1)
        low, high = np.full(BINS, np.inf), np.full(BINS, -np.inf)
        np.minimum.at(low, bins, across - 0.5)
        np.maximum.at(high, bins, across + 0.5)
        empty = ~np.isfinite(low)
        low, high = (_smooth(np.where(empty, np.nan, side)) for side in (low, high))
        half = (high - low) / 2
        return cls(
            kind,
            centre,
            size,
            float(np.arctan2(axis[1], axis[0])),
            begin,
            length,
            (low + high) / 2,
            np.maximum(half, LEAST_HALF * float(np.median(half))),
        )

    def locate(self, point_xy: np.ndarray) -> np.ndarray:
        """(a, b) of a point (x, y) of the photograph."""
        away = np.asarray(point_xy, float) - self.centre
        if self.kind == "fixed":
            return away / self.size
        if self.kind == "round":
            angle = float(np.arctan2(away[1], away[0]))
            return np.array([angle, float(np.hypot(*away)) / self._read(self.half, angle / (2 * np.pi) % 1.0)])
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        a = (away @ (cos, sin) - self.begin) / self.length
        return np.array([a, (away @ (-sin, cos) - self._read(self.middle, a)) / self._read(self.half, a)])

    def point(self, place: np.ndarray) -> np.ndarray:
        """(x, y) on the photograph of a place (a, b)."""
        a, b = float(place[0]), float(place[1])
        if self.kind == "fixed":
            return self.centre + np.array([a, b]) * self.size
        if self.kind == "round":
            return self.centre + b * self._read(self.half, a / (2 * np.pi) % 1.0) * np.array([np.cos(a), np.sin(a)])
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        along, across = self.begin + a * self.length, self._read(self.middle, a) + b * self._read(self.half, a)
        return self.centre + along * np.array([cos, sin]) + across * np.array([-sin, cos])

    def angle(self, place: np.ndarray) -> float:
        """Direction (radians) that turns with the part at a place: along its axis, or outwards."""
        return {"fixed": 0.0, "axis": self.turn, "round": float(place[0])}[self.kind]

    def _read(self, values: np.ndarray, at: float) -> float:
        """A value of the outline at ``at`` in [0, 1], the end's beyond it."""
        places = (np.arange(BINS) + 0.5) / BINS
        return float(np.interp(at, places, values, period=1.0 if self.kind == "round" else None))


def _smooth(values: np.ndarray, around: bool = False) -> np.ndarray:
    """Unknown values filled from their neighbours, and smoothed."""
    at, known = np.arange(len(values)), np.flatnonzero(np.isfinite(values))
    filled = np.interp(at, known, values[known], period=len(values) if around else None)
    padded = np.pad(filled, len(SMOOTH) // 2, mode="wrap" if around else "edge")
    return np.convolve(padded, SMOOTH, "valid")
