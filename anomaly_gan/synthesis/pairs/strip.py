"""A mask as a strip along its longest axis, so that one can be stretched to another: begin on begin, side on side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ...core.masks import Axes

PLACES = 16
"""Along a strip, how often its sides are looked at."""
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""How its sides are smoothed from place to place: stretched from side to side of a jagged mask a small defect would
become a comb."""
ROUND = 1.3
"""Masks no longer than this many times their width have no direction: they are stretched upright, and keep the side
that light falls from."""
LONG, BENT, FULL = 2.0, 0.25, 0.7
"""A strip so many times as long as it is wide is bent where both its sides leave the straight line by this share of the
width, to the same side (of a chip at an edge one does), and where bent it is filled so far: a branched one is not."""
STEPS = 8
"""Points of a middle line between two places."""


@dataclass(frozen=True)
class Strip:
    """A mask as a strip along its longest axis (a round one's: from left to right): where it begins and ends there,
    and, at ``PLACES`` places on the way, between which distances from that axis it lies, smoothed. Pixels in (x, y);
    ``axes`` holds the longest axis and the other; ``filled``: the mask's share of the strip. Of a bent one ``bend``
    holds points (N, 2) of its middle, along and across the axis, and the distances are those along and from it.
    """

    centre: np.ndarray
    axes: np.ndarray
    begin: float
    end: float
    low: np.ndarray
    high: np.ndarray
    filled: float
    bend: np.ndarray | None = None

    @classmethod
    def of(cls, mask_01: np.ndarray, upright: bool = False) -> Strip:
        """The mask's strip, ``upright`` as a round one's; the mask must have a pixel."""
        points = np.argwhere(mask_01)[:, ::-1].astype(float)
        main = Axes.of_points(points)
        turned = main.ratio >= ROUND and not upright
        axes = main.vectors * np.where(main.vectors.sum(1, keepdims=True) < 0, -1, 1) if turned else np.eye(2)
        none = np.zeros(PLACES)
        frame = cls(main.centre, axes, 0.0, 0.0, none, none, 0.0)
        straight = frame._around(points)
        width = len(points) / (straight.end - straight.begin)
        if not turned or straight.end - straight.begin < LONG * width or straight._leaves_line() < BENT * width:
            return straight
        bent = straight._bent(points)
        return bent if bent.filled >= FULL else straight

    def _leaves_line(self) -> float:
        """How far, at most, both sides leave their straight lines at one place, to the same side, in pixels."""
        low, high = (_off_line(side) for side in (self.low, self.high))
        return float(np.where(low * high > 0, np.minimum(np.abs(low), np.abs(high)), 0).max())

    def _around(self, points_N2: np.ndarray) -> Strip:
        """The strip in this one's frame that holds the points."""
        along, across = self._frame(points_N2)
        begin, end = along.min() - 0.5, along.max() + 0.5
        place = np.minimum((PLACES * (along - begin) / (end - begin)).astype(int), PLACES - 1)
        low, high = np.full(PLACES, np.inf), np.full(PLACES, -np.inf)
        np.minimum.at(low, place, across - 0.5)
        np.maximum.at(high, place, across + 0.5)
        low, high = _smooth(low), _smooth(high)
        filled = len(points_N2) / max(1.0, (end - begin) * float((high - low).mean()))
        return replace(self, begin=begin, end=end, low=low, high=high, filled=filled)

    def _bent(self, points_N2: np.ndarray) -> Strip:
        """The strip along the middle between this straight one's sides."""
        middle = _smooth((self.low + self.high) / 2)
        step = (self.end - self.begin) / PLACES
        at = self.begin + (np.arange(-1, PLACES + 1) + 0.5) * step
        middle = np.concatenate([[2 * middle[0] - middle[1]], middle, [2 * middle[-1] - middle[-2]]])
        dense = np.linspace(self.begin, self.end, PLACES * STEPS)
        return replace(self, bend=np.stack([dense, np.interp(dense, at, middle)], axis=1))._around(points_N2)

    def to(self, other: Strip, points_N2: np.ndarray) -> np.ndarray:
        """Where points of this strip lie in the other one: begin on begin, side on side. Beyond its borders distances
        are kept in pixels."""
        along, across = self._frame(points_N2)
        share = self._share(along)
        low, high = self._sides(share)
        aside = np.clip((across - low) / (high - low), 0, 1)
        other_low, other_high = other._sides(share)
        beyond, beside = along - np.clip(along, self.begin, self.end), across - np.clip(across, low, high)
        return other._back(
            other.begin + share * (other.end - other.begin) + beyond,
            other_low + aside * (other_high - other_low) + beside,
        )

    def share(self, points_N2: np.ndarray) -> np.ndarray:
        """How far along the strip points lie: 0 at its begin, 1 at its end."""
        return self._share(self._frame(points_N2)[0])

    def stretch(self, other: Strip) -> float:
        """How much this strip is stretched to be the other: logarithms of the ratios of their lengths, from place to
        place of their widths, and of the shares that are filled."""
        along = abs(np.log((other.end - other.begin) / (self.end - self.begin)))
        across = np.abs(np.log(np.maximum(other.high - other.low, 1) / np.maximum(self.high - self.low, 1)))
        return float(along + across.mean() + abs(np.log(other.filled / self.filled)))

    @cached_property
    def _middle(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, cKDTree]:
        """Of a bent strip: points (N, 2) of its middle, its directions there, their distances along it, and a tree of
        the points."""
        assert self.bend is not None
        steps = np.diff(self.bend, axis=0)
        length = np.concatenate([[0], np.cumsum(np.hypot(*steps.T))])
        direction = np.gradient(self.bend, length, axis=0)
        return self.bend, direction / np.linalg.norm(direction, axis=1, keepdims=True), length, cKDTree(self.bend)

    def _frame(self, points_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points along the strip and across it."""
        straight = (points_N2 - self.centre) @ self.axes.T
        if self.bend is None:
            return straight[:, 0], straight[:, 1]
        curve, direction, length, tree = self._middle
        near = tree.query(straight)[1]
        along = length[near] + ((straight - curve[near]) * direction[near]).sum(1)
        place, ahead = self._foot(along)
        off = straight - place
        return along, ahead[:, 0] * off[:, 1] - ahead[:, 1] * off[:, 0]

    def _back(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """``_frame`` undone."""
        if self.bend is None:
            return self.centre + np.stack([along, across], axis=1) @ self.axes
        place, ahead = self._foot(along)
        beside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
        return self.centre + (place + across[:, None] * beside) @ self.axes

    def _foot(self, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 2) of a bent strip's middle, and its directions there; beyond its ends it goes on straight."""
        curve, direction, length, _ = self._middle
        within = np.clip(along, 0, length[-1])
        place, ahead = (
            np.stack([np.interp(within, length, line) for line in plane.T], axis=1) for plane in (curve, direction)
        )
        ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        return place + (along - within)[:, None] * ahead, ahead

    def _share(self, along: np.ndarray) -> np.ndarray:
        return np.clip((along - self.begin) / (self.end - self.begin), 0, 1)

    def _sides(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = share * PLACES - 0.5
        return tuple(np.interp(place, np.arange(PLACES), side) for side in (self.low, self.high))


def _smooth(side: np.ndarray) -> np.ndarray:
    """A strip's side (``PLACES``,), infinite where the mask has no pixel: filled, and smoothed along the strip."""
    known = np.flatnonzero(np.isfinite(side))
    filled = np.interp(np.arange(PLACES), known, side[known])
    return np.convolve(np.pad(filled, len(SMOOTH) // 2, mode="edge"), SMOOTH, "valid")


def _off_line(side: np.ndarray) -> np.ndarray:
    """How far a side (``PLACES``,) is from the straight line that is nearest to it."""
    places = np.arange(PLACES)
    return side - np.polyval(np.polyfit(places, side, 1), places)
