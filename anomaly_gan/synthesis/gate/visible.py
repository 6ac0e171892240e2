"""How clearly a defect can be seen, and how likely a fainter real one is.

A half-transparent defect is fainter than nearly all real ones of its category, and the sound photograph goes on through
it. Two figures are looked at that a real and a generated window both have: how much of the label the defect fills, and
how hard its outline is. Each is placed among the real ones of *other* objects; no limit is set by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.stats import norm

from ...core.channels import one_channel
from ..pairs.layer import Layer
from .window import Window

FINE_PX = 1.5
"""Structure finer than a Gaussian blur of this deviation is what a sound photograph is known again by."""
CORE_PX = 1.5
"""What is nearer to the outline than this says little of what is inside."""
LEAST_CORE = 12
RING_PX = (3.0, 12.0)
CHANGE_PX, MOST_CHANGED = 1.0, 0.25
OFFSET = 0.5
"""Grey levels added before a logarithm is taken."""


def visible(window: Window, sound: np.ndarray | None = None) -> tuple[float, float] | None:
    """The share of the mask that the defect fills (its alpha against ``sound``, or against the inpainted surface where
    that is not known), and the logarithm of the gradient along its outline over that of the surroundings. None where
    there is no mask or no surroundings."""
    mask = window.mask_01
    inside = mask != 0
    out = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    ring = (out > RING_PX[0]) & (out <= RING_PX[1]) & (window.others_01 == 0)
    if not inside.any() or not ring.any():
        return None
    fill = float(Layer.of(window.pixels, mask, sound).alpha[inside].mean())
    gray = one_channel(window.pixels).astype(np.float32)
    steep = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) / 8
    edge = (inside & (_depth(inside) <= CORE_PX)) | ((out > 0) & (out <= CORE_PX))
    return fill, float(np.log((steep[edge].mean() + OFFSET) / (steep[ring].mean() + OFFSET)))


def shows_through(window: Window, sound: np.ndarray) -> float:
    """Correlation of the finest structure inside the mask with that of the sound photograph under it: 1 where the
    surface goes on as if nothing was there, about 0 where it is hidden."""
    inside = window.mask_01 != 0
    core = inside & (_depth(inside) > CORE_PX)
    core = core if np.count_nonzero(core) >= LEAST_CORE else inside
    if not core.any():
        return 0.0
    one, other = (_fine(plane)[core] for plane in (window.pixels, sound))
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-6))


def own_structure(window: Window, sound: np.ndarray) -> float:
    """Fine structure that the defect adds over that of the sound photograph, in the quarter of the mask that it changes
    most, as a logarithm. A thin crack is as faint as a smudge when its loose label is looked at whole; but it has
    a sharp line of its own."""
    inside = window.mask_01 != 0
    if not inside.any():
        return 0.0
    seen, before = (one_channel(picture).astype(np.float32) for picture in (window.pixels, sound))
    change = np.abs(cv2.GaussianBlur(seen - before, (0, 0), CHANGE_PX))
    most = inside & (change >= np.quantile(change[inside], 1 - MOST_CHANGED))
    own, under = _fine(window.pixels), _fine(sound)
    return float(np.log((np.abs(own - under)[most].mean() + OFFSET) / (np.abs(under)[most].mean() + OFFSET)))


@dataclass(frozen=True, eq=False)
class Faintness:
    """Of one category: figures (N, 2) of real defects by ``visible``, and ``scores`` (N,) of each among those of other
    objects."""

    points: np.ndarray
    scores: np.ndarray

    @classmethod
    def fit(cls, points: Sequence[Sequence[float]], groups: Sequence[str]) -> Faintness | None:
        """None with fewer than two objects."""
        values, owners = np.array(points, float), np.array(groups, dtype=str)
        if len(set(groups)) < 2:
            return None
        scores = [_score(point, values[owners != owner]) for point, owner in zip(values, owners, strict=True)]
        return cls(values, np.array(scores))

    def share(self, point: Sequence[float]) -> float:
        """The share of real defects that are fainter than one with these figures."""
        score = _score(np.array(point, float), self.points)
        return float(((self.scores < score).sum() + 0.5) / (len(self.scores) + 1))


def _score(point: np.ndarray, others: np.ndarray) -> float:
    """Mean over the figures of the normal score of their rank among others'."""
    ranks = ((others < point).sum(axis=0) + 0.5 * (others == point).sum(axis=0) + 0.5) / (len(others) + 1)
    return float(norm.ppf(ranks).mean())


def _fine(pixels: np.ndarray) -> np.ndarray:
    gray = one_channel(pixels).astype(np.float32)
    return gray - cv2.GaussianBlur(gray, (0, 0), FINE_PX)


def _depth(inside: np.ndarray) -> np.ndarray:
    """How far inside the mask a pixel lies."""
    return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
