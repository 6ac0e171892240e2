"""A mask as a strip along its longest axis, so that one can be stretched to another: begin on begin, side on side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.masks import Axes

PLACES = 16
"""Along a strip, how often its sides are looked at."""
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""How its sides are smoothed from place to place: stretched from side to side of a jagged mask a small defect would
become a comb."""
ROUND = 1.3
"""Masks no longer than this many times their width have no direction: they are stretched upright, and keep the side
that light falls from."""


@dataclass(frozen=True)
class Strip:
    """A mask as a strip along its longest axis (a round one's: from left to right): where it begins and ends there,
    and, at ``PLACES`` places on the way, between which distances from that axis it lies, smoothed. Pixels in (x, y);
    ``axes`` holds the longest axis and the other; ``filled``: the mask's share of the strip (a bent one's is small).
    """

    centre: np.ndarray
    axes: np.ndarray
    begin: float
    end: float
    low: np.ndarray
    high: np.ndarray
    filled: float

    @classmethod
    def of(cls, mask_01: np.ndarray, upright: bool = False) -> Strip:
        """The mask's strip, ``upright`` as a round one's; the mask must have a pixel."""
        points = np.argwhere(mask_01)[:, ::-1].astype(float)
        main = Axes.of_points(points)
        centre = main.centre
        turned = main.ratio >= ROUND and not upright
        axes = main.vectors * np.where(main.vectors.sum(1, keepdims=True) < 0, -1, 1) if turned else np.eye(2)
        along, across = axes @ (points - centre).T
        begin, end = along.min() - 0.5, along.max() + 0.5
        place = np.minimum((PLACES * (along - begin) / (end - begin)).astype(int), PLACES - 1)
        low, high = np.full(PLACES, np.inf), np.full(PLACES, -np.inf)
        np.minimum.at(low, place, across - 0.5)
        np.maximum.at(high, place, across + 0.5)
        low, high = _smooth(low), _smooth(high)
        filled = len(points) / max(1.0, (end - begin) * float((high - low).mean()))
        return cls(centre, axes, begin, end, low, high, filled)

    def to(self, other: Strip, points_N2: np.ndarray) -> np.ndarray:
        """Where points of this strip lie in the other one: begin on begin, side on side. Beyond its borders distances
        are kept in pixels."""
        along, across = self.axes @ (points_N2 - self.centre).T
        share = self.share(points_N2)
        low, high = self._sides(share)
        aside = np.clip((across - low) / (high - low), 0, 1)
        other_low, other_high = other._sides(share)
        beyond, beside = along - np.clip(along, self.begin, self.end), across - np.clip(across, low, high)
        there = np.stack(
            [
                other.begin + share * (other.end - other.begin) + beyond,
                other_low + aside * (other_high - other_low) + beside,
            ]
        )
        return other.centre + there.T @ other.axes

    def share(self, points_N2: np.ndarray) -> np.ndarray:
        """How far along the strip points lie: 0 at its begin, 1 at its end."""
        along = self.axes[0] @ (points_N2 - self.centre).T
        return np.clip((along - self.begin) / (self.end - self.begin), 0, 1)

    def stretch(self, other: Strip) -> float:
        """How much this strip is stretched to be the other: logarithms of the ratios of their lengths, from place to
        place of their widths, and of the shares that are filled."""
        along = abs(np.log((other.end - other.begin) / (self.end - self.begin)))
        across = np.abs(np.log(np.maximum(other.high - other.low, 1) / np.maximum(self.high - self.low, 1)))
        return float(along + across.mean() + abs(np.log(other.filled / self.filled)))

    def _sides(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = share * PLACES - 0.5
        return tuple(np.interp(place, np.arange(PLACES), side) for side in (self.low, self.high))


def _smooth(side: np.ndarray) -> np.ndarray:
    """A strip's side (``PLACES``,), infinite where the mask has no pixel: filled, and smoothed along the strip."""
    known = np.flatnonzero(np.isfinite(side))
    filled = np.interp(np.arange(PLACES), known, side[known])
    return np.convolve(np.pad(filled, len(SMOOTH) // 2, mode="edge"), SMOOTH, "valid")
