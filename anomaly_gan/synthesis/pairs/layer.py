"""A real defect as a layer of its own: what it makes of the surface, and how much of it is there.

Labels are drawn loosely: a defect fills a part of its label and fades. The layer knows it and the surface without it
(inpainted), and has an alpha that is 0 where the difference drowns in the surface's own grain. Laid on another
surface, the grain there goes on through it and nothing ends at the label's outline unless the defect did.

How far a defect's brightness follows that of the surface is learned from a category's real ones (``follows``): a crack
is darker than its surface under any light, paper is as bright on a dark bolt as on a bright one, and hides it.

Closed-form matting (Levin et al. 2008) would need a trimap that nobody draws; the difference needs none, and no other
library. Where a surface has structure (a thread, an edge), inpainting cannot know it: what it misses counts as defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.images import looks_gray
from ...core.masks import grow

REACH_PX = 3
"""How far beyond its label a defect may still be seen."""
INPAINT_PX = 3
GRAIN_PX = 1.2
"""Differences are blurred by so much before they are compared with the grain."""
NOISE, SURE = 1.5, 4.0
"""At this many deviations of the blurred grain a difference begins to show, and is all defect."""
FAINT = 0.95
"""Of the differences inside a faint defect, the quantile that counts as all defect."""
RING_PX = 4
BELIEVED = 0.04
"""Sum of squares by which a slope of 1 is believed in before any is seen: two defects on surfaces 15 % apart."""
LEAST_SEEN = 2.0
"""Pixels of a defect, by its alpha, below which its brightness is not known."""
LOW_PX = 7
"""The surface without its grain: a bilateral filter of this diameter, so that edges stay."""
FLOOR = 64.0
"""Added to grey levels before their ratio is taken, so that dark surroundings do not blow it up."""


@dataclass(frozen=True, eq=False)
class Layer:
    """``shown`` and ``surface`` float32 (H, W) or (H, W, 3): logarithms of the grey levels with the defect and without
    it, ``FLOOR`` added; ``alpha`` float32 (H, W) in [0, 1]."""

    shown: np.ndarray
    surface: np.ndarray
    alpha: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, mask_01: np.ndarray, sound: np.ndarray | None = None) -> Layer:
        """Of a defect in a photograph (uint8); ``sound``: the same without it, where that is known."""
        if sound is None:
            sound = cv2.inpaint(pixels, grow(mask_01, REACH_PX - 1), INPAINT_PX, cv2.INPAINT_TELEA)
        shown, surface = pixels.astype(np.float32), sound.astype(np.float32)
        return cls(np.log(shown + FLOOR), np.log(surface + FLOOR), _alpha(pixels, shown - surface, mask_01))

    def on(self, ground: np.ndarray, follows: float = 1.0, light: float = 0.0) -> np.ndarray:
        """``ground`` (uint8, of the layer's size) with the defect on it; a gray one gets no colour.

        Args:
            follows: how far its brightness follows the surface's, 0 to 1.
            light: logarithm of how much brighter the surroundings are here than where the defect was.
        """
        if not (self.alpha > 0).any():
            return ground
        shown, surface, alpha = self.shown, self.surface, self.alpha
        if shown.ndim == 3 and looks_gray(ground):
            shown, surface = shown.mean(axis=2), surface.mean(axis=2)
        if ground.ndim == 3:
            shown, surface = (plane if plane.ndim == 3 else plane[:, :, None] for plane in (shown, surface))
            alpha = alpha[:, :, None]
        substance = (without_grain(ground) + FLOOR) * np.exp(shown - surface) - FLOOR
        if follows < 1:
            own = np.exp(shown + follows * light) - FLOOR
            substance = follows * substance + (1 - follows) * own
        warped = ground + alpha * (substance - ground)
        return np.where(alpha > 0, warped.round().clip(0, 255), ground).astype(np.uint8)

    def levels(self, pixels: np.ndarray, mask_01: np.ndarray) -> tuple[float, float] | None:
        """Logarithms of the mean grey level of the defect and of the ring around it; None where one cannot be seen."""
        around = surroundings(mask_01)
        seen = self.alpha * (mask_01 != 0)
        if seen.sum() < LEAST_SEEN or not around.any():
            return None
        gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
        inside = float((gray * seen).sum() / seen.sum())
        return float(np.log(inside + FLOOR)), float(np.log(gray[around].mean() + FLOOR))


def learn_follows(levels: Sequence[tuple[float, float] | None]) -> float:
    """How far the brightness of a category's defects follows that of their surroundings, in [0, 1]: the slope of the
    one over the other, which counts as 1 until real ones show otherwise (``BELIEVED``)."""
    known = np.array([pair for pair in levels if pair is not None], float).reshape(-1, 2)
    if len(known) < 2:
        return 1.0
    inside, around = (known - known.mean(axis=0)).T
    return float(np.clip((inside @ around + BELIEVED) / (around @ around + BELIEVED), 0, 1))


def surroundings(mask_01: np.ndarray) -> np.ndarray:
    """bool (H, W): a ring around the mask, beyond the defect's reach."""
    return (grow(mask_01, REACH_PX + RING_PX) != 0) & (grow(mask_01, REACH_PX) == 0)


def without_grain(pixels: np.ndarray) -> np.ndarray:
    """The surface as float32, its grain smoothed away and its edges kept."""
    strength = 3.0 * max(1.0, grain(pixels, np.ones(pixels.shape[:2], bool)))
    return cv2.bilateralFilter(pixels, LOW_PX, strength, LOW_PX / 3).astype(np.float32)


def grain(pixels: np.ndarray, where: np.ndarray) -> float:
    """Robust standard deviation of the finest structure (what a 3 × 3 blur takes away), in grey levels."""
    gray = pixels.astype(np.float32) if pixels.ndim == 2 else pixels.mean(axis=2, dtype=np.float32)
    fine = (gray - cv2.GaussianBlur(gray, (3, 3), 0))[where]
    # the blur itself takes a part of white noise along: what is left is 0.77 of it
    return float(1.4826 * np.median(np.abs(fine)) / 0.77) if len(fine) else 0.0


def _alpha(pixels: np.ndarray, difference: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1]: 0 where the difference is no more than grain, and beyond ``REACH_PX`` of the mask."""
    inside = mask_01 != 0
    if not inside.any():
        return np.zeros(mask_01.shape, np.float32)
    strength = np.abs(cv2.GaussianBlur(difference, (0, 0), GRAIN_PX))
    strength = strength if strength.ndim == 2 else strength.max(axis=2)
    ring = surroundings(mask_01)
    # white grain is this much weaker after the blur; coarser grain is not, so both are looked at
    noise = max(1.0, grain(pixels, ring if ring.any() else inside) / (2 * np.sqrt(np.pi) * GRAIN_PX) * 1.5)
    low = NOISE * noise
    high = max(min(SURE * noise, float(np.quantile(strength[inside], FAINT))), low + 0.5 * noise)
    alpha = _step(strength, low, high)
    beyond = cv2.distanceTransform((mask_01 == 0).astype(np.uint8), cv2.DIST_L2, 5)
    alpha *= np.clip(1 - beyond / (REACH_PX + 0.5), 0, 1)
    return cv2.GaussianBlur(alpha.astype(np.float32), (3, 3), 0) * (beyond <= REACH_PX)


def _step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
