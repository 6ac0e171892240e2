"""A real defect as a layer of its own: what it makes of the surface, and how much of it is there.

Labels are drawn loosely: a defect fills a part of its label and fades. The layer knows it and the surface without it
(inpainted), and has an alpha that is 0 where the difference drowns in the surface's own grain. Laid on another
surface, the grain there goes on through it and nothing ends at the label's outline unless the defect did.

What a category's defects are made of is learned from its real ones (``substance``): a crack is darker than its surface
under any light, paper is as bright on a dark bolt as on a bright one, and hides it.

Closed-form matting (Levin et al. 2008) would need a trimap that nobody draws; the difference needs none, and no other
library. Where a surface has structure (a thread, an edge), inpainting cannot know it: what it misses counts as defect.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...core.channels import one_channel, strongest_channel
from ...core.images import looks_gray
from ...core.masks import grow
from .substance import FORETOLD_PX, OF_THE_SURFACE, Evidence, Substance, depth, directions, shared, step

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
LEAST_SEEN = 2.0
"""Pixels of a defect, by its alpha, below which its brightness is not known."""
LOW_PX = 7
"""The surface without its grain: a bilateral filter of this diameter, so that edges stay."""
FLOOR = 64.0
"""Added to grey levels before their ratio is taken, so that dark surroundings do not blow it up."""

FILLINGS = 8
"""Steps of alpha at which its holes are closed."""


@dataclass(frozen=True, eq=False)
class Layer:
    """``shown`` and ``surface`` float32 (H, W) or (H, W, 3): logarithms of the grey levels with the defect and without
    it, ``FLOOR`` added; ``alpha`` float32 (H, W) in [0, 1]; ``known`` (H, W) in [0, 1]: how far the surface is known
    there, and with it what of the difference is the defect's. ``part``: (H, W) in [0, 1], how far it shows the part,
    where the defect changes the part's outline (``reshaping``)."""

    shown: np.ndarray
    surface: np.ndarray
    alpha: np.ndarray
    known: np.ndarray
    part: np.ndarray | None = None

    @classmethod
    def of(cls, pixels: np.ndarray, mask_01: np.ndarray, sound: np.ndarray | None = None) -> Layer:
        """Of a defect in a photograph (uint8); ``sound``: the same without it, where that is known."""
        known = np.ones(mask_01.shape, np.float32)
        if sound is None:
            known = np.clip(2 - depth(mask_01) / FORETOLD_PX, 0, 1)
            sound = cv2.inpaint(pixels, grow(mask_01, REACH_PX - 1), INPAINT_PX, cv2.INPAINT_TELEA)
        shown, surface = pixels.astype(np.float32), sound.astype(np.float32)
        return cls(np.log(shown + FLOOR), np.log(surface + FLOOR), _alpha(pixels, shown - surface, mask_01), known)

    def on(self, ground: np.ndarray, substance: Substance = OF_THE_SURFACE, light: float | None = None) -> np.ndarray:
        """``ground`` (uint8, of the layer's size) with the defect on it; a gray one gets no colour.

        Args:
            substance: what the defects of its category are.
            light: logarithm of how much brighter the surroundings are here than where the defect was; None: as the
                surface under it.
        """
        if not (self.alpha > 0).any():
            return ground
        shown, surface, alpha = self.shown, self.surface, self.alpha
        if substance.through < 1:
            alpha = substance.through * alpha + (1 - substance.through) * without_holes(alpha)
        share = substance.follows * substance.through * self.known
        alpha = 1 - self.known * (1 - alpha)
        if shown.ndim == 3 and looks_gray(ground):
            shown, surface = shown.mean(axis=2), surface.mean(axis=2)
        if ground.ndim == 3:
            shown, surface = (plane if plane.ndim == 3 else plane[:, :, None] for plane in (shown, surface))
            alpha, share = alpha[:, :, None], share[:, :, None]
        below = np.log(without_grain(ground) + FLOOR) - surface
        if light is None:
            light = float((below * alpha).sum() / (np.ones_like(below) * alpha).sum())
        tint, own = np.exp(shown + below), np.exp(shown + substance.follows * light)
        return over(ground, share * tint + (1 - share) * own - FLOOR, alpha)

    def evidence(self, pixels: np.ndarray, mask_01: np.ndarray) -> Evidence | None:
        """What the defect shows of its category's substance; None where it or its surroundings cannot be seen."""
        around, seen = level_around(pixels, mask_01), self.alpha * (mask_01 != 0)
        if seen.sum() < LEAST_SEEN or around is None:
            return None
        gray = one_channel(pixels)
        inside = float(np.log((gray * seen).sum() / seen.sum() + FLOOR))
        core = (mask_01 != 0) & (depth(mask_01) <= FORETOLD_PX)
        wider = grow(mask_01, REACH_PX + FORETOLD_PX)
        foretold = np.log(cv2.inpaint(pixels, wider, INPAINT_PX, cv2.INPAINT_TELEA).astype(np.float32) + FLOOR)
        ring = (wider != 0) & (grow(mask_01, REACH_PX) == 0)
        lines, axis = directions(gray, mask_01)
        outermost = (mask_01 != 0) & (depth(mask_01) <= 1)
        return Evidence(
            inside,
            around,
            shared(self.shown, self.surface, core),
            shared(self.shown, foretold, ring),
            lines,
            axis,
            float(self.alpha[outermost].mean()),
        )


def over(ground: np.ndarray, shown: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """``ground`` (uint8) under ``shown`` (grey levels) of that alpha; where alpha is 0 the very same pixels."""
    mixed = (ground + alpha * (shown - ground)).round().clip(0, 255)
    return np.where(alpha > 0, mixed, ground).astype(np.uint8)


def surroundings(mask_01: np.ndarray) -> np.ndarray:
    """bool (H, W): a ring around the mask, beyond the defect's reach."""
    return (grow(mask_01, REACH_PX + RING_PX) != 0) & (grow(mask_01, REACH_PX) == 0)


def level_around(pixels: np.ndarray, mask_01: np.ndarray) -> float | None:
    """Logarithm of the mean grey level of the ring around a mask; None where there is none."""
    around = surroundings(mask_01)
    return float(np.log(pixels[around].mean() + FLOOR)) if around.any() else None


def without_grain(pixels: np.ndarray) -> np.ndarray:
    """The surface as float32, its grain smoothed away and its edges kept."""
    strength = 3.0 * max(1.0, grain(pixels, np.ones(pixels.shape[:2], bool)))
    return cv2.bilateralFilter(pixels, LOW_PX, strength, LOW_PX / 3).astype(np.float32)


def without_holes(alpha: np.ndarray) -> np.ndarray:
    """Alpha with what it surrounds on all sides raised to it, in ``FILLINGS`` steps."""
    filled = alpha
    for level in np.arange(1, FILLINGS + 1, dtype=np.float32) / FILLINGS:
        shape = (alpha >= level).astype(np.uint8)
        lines, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.maximum(filled, level * cv2.drawContours(shape, lines, -1, 1, cv2.FILLED))
    return filled


def grain(pixels: np.ndarray, where: np.ndarray) -> float:
    """Robust standard deviation of the finest structure (what a 3 × 3 blur takes away), in grey levels."""
    gray = one_channel(pixels).astype(np.float32)
    fine = (gray - cv2.GaussianBlur(gray, (3, 3), 0))[where]
    # the blur itself takes a part of white noise along: what is left is 0.77 of it
    return float(1.4826 * np.median(np.abs(fine)) / 0.77) if len(fine) else 0.0


def _alpha(pixels: np.ndarray, difference: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1]: 0 where the difference is no more than grain, and beyond ``REACH_PX`` of the mask."""
    inside = mask_01 != 0
    if not inside.any():
        return np.zeros(mask_01.shape, np.float32)
    strength = np.abs(cv2.GaussianBlur(difference, (0, 0), GRAIN_PX))
    strength = strongest_channel(strength)
    ring = surroundings(mask_01)
    # white grain is this much weaker after the blur; coarser grain is not, so both are looked at
    noise = max(1.0, grain(pixels, ring if ring.any() else inside) / (2 * np.sqrt(np.pi) * GRAIN_PX) * 1.5)
    low = NOISE * noise
    high = max(min(SURE * noise, float(np.quantile(strength[inside], FAINT))), low + 0.5 * noise)
    alpha = step(strength, low, high)
    beyond = cv2.distanceTransform((mask_01 == 0).astype(np.uint8), cv2.DIST_L2, 5)
    alpha *= np.clip(1 - beyond / (REACH_PX + 0.5), 0, 1)
    return cv2.GaussianBlur(alpha.astype(np.float32), (3, 3), 0) * (beyond <= REACH_PX)
