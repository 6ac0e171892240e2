"""Defects that change the outline of a part: a tip broken off, a thread worn away.

A layer over the surface cannot take a tip away: it stays beside the broken one. What the label of such a defect shows
of the part takes the place of all that was there, in the light of its new place, and where it shows none the ground
behind the part goes on.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...core.channels import one_channel, over_channels
from ...core.images import looks_gray
from ...core.masks import grow
from .layer import FLOOR, over, surroundings

OFF_PART = 0.1, 0.6
"""Categories whose median label lies off the part by a share of its pixels between these change the part's outline.
Labels that lie off it for the most part are no defects of it: those of shams, on photographs that are not theirs."""
LEAST_SEEN_PX = 8
"""Surroundings of fewer pixels say nothing about light."""
FLAT_PX, ROUGH = 5, 2.0
"""The ground is flat in squares of so many pixels: their deviation is at most so many times its usual one, and their
mean within so many deviations of its."""
SOFT_PX, SMOOTH_PX = 3, 3.0
"""So far from the part its soft outline reaches; what is finer than this on the ground is grain."""


def shown_part(pixels: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray) -> np.ndarray:
    """bool (H, W): the part in a defect's window, with what the defect makes as bright as the ground: that is flat, and
    as bright as beside the label."""
    gray = one_channel(pixels).astype(np.float32)
    mean, square = (cv2.boxFilter(plane, -1, (FLAT_PX, FLAT_PX)) for plane in (gray, gray * gray))
    rough, off = np.sqrt(np.maximum(square - mean * mean, 0)), part_01 == 0
    inner = cv2.erode(off.astype(np.uint8), np.ones((FLAT_PX, FLAT_PX), np.uint8), borderValue=1) != 0
    beside = inner & (mask_01 == 0)
    if np.count_nonzero(beside) < LEAST_SEEN_PX:
        return part_01 != 0
    usual, spread = float(np.median(mean[beside])), max(1.0, float(mean[beside].std()))
    flat = inner & (rough <= ROUGH * max(1.0, float(np.median(rough[beside]))))
    flat &= np.abs(mean - usual) <= ROUGH * spread
    grown = grow(cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), FLAT_PX)
    return ~(off & (grown != 0))


def off_part(mask_01: np.ndarray, part_01: np.ndarray) -> float:
    """Share of a mask's pixels that are not on the part."""
    return 1 - float((part_01[mask_01 != 0] != 0).mean())


def whole(mask_01: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1]: alpha of all that a label covers, soft at its outline."""
    return cv2.GaussianBlur((mask_01 != 0).astype(np.float32), (3, 3), 0)


def level_on(pixels: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray) -> float | None:
    """Logarithm of the mean grey level of the part around a mask; None where hardly anything of it is seen."""
    seen = one_channel(pixels)[surroundings(mask_01) & (part_01 != 0)]
    return float(np.log(seen.mean() + FLOOR)) if len(seen) >= LEAST_SEEN_PX else None


def replace_within(
    shown: np.ndarray,
    moved_part: np.ndarray,
    light: float,
    ground: np.ndarray,
    mask_01: np.ndarray,
    part_01: np.ndarray,
) -> np.ndarray:
    """``ground`` with what the label shows in the place of what is there.

    Args:
        shown: what the label shows, moved to its place: logarithms of the grey levels, ``FLOOR`` added, (H, W[, 3]).
        moved_part: (H, W) in [0, 1], how far that is the part.
        light: logarithm of how much brighter the part is here.
        ground: uint8 (H, W) or (H, W, 3).
        mask_01: the mask there.
        part_01: the part there.

    Returns:
        uint8, of ``ground``'s shape.
    """
    alpha, moved_part = whole(mask_01), _joined(moved_part, mask_01, part_01)
    if shown.ndim == 3 and looks_gray(ground):
        shown = shown.mean(axis=2)
    if ground.ndim == 3:
        shown = shown if shown.ndim == 3 else shown[:, :, None]
        moved_part, alpha = moved_part[:, :, None], alpha[:, :, None]
    inside = moved_part * (np.exp(shown + light) - FLOOR) + (1 - moved_part) * without_part(ground, part_01)
    return over(ground, inside, alpha)


def _joined(moved_part: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray) -> np.ndarray:
    """``moved_part`` (H, W) without the pieces in the mask that hang in the air: they join what is most of the part
    around it nowhere. As it is where there is no part around the mask."""
    inside = mask_01 != 0
    together = np.where(inside, moved_part >= 0.5, part_01 != 0)
    _, pieces = cv2.connectedComponents(together.astype(np.uint8), connectivity=8)
    around = np.bincount(pieces[together & ~inside])
    if not len(around):
        return moved_part
    hanging = together & inside & (pieces != around.argmax())
    return np.where((grow(hanging.astype(np.uint8), SOFT_PX) != 0) & ~(together & ~hanging), 0, moved_part)


def without_part(ground: np.ndarray, part_01: np.ndarray) -> np.ndarray:
    """``ground`` with the part covered by what lies beside it: as bright as at the part's outline, with the grain found
    there, mirrored; as it is where there is nothing else."""
    hidden = grow((part_01 != 0).astype(np.uint8), SOFT_PX)
    if hidden.all() or not hidden.any():
        return ground
    _, labels = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    free = np.argwhere(hidden == 0)
    nearest = np.zeros((labels.max() + 1, 2), int)
    nearest[labels[free[:, 0], free[:, 1]]] = free
    at, values = np.argwhere(hidden != 0), ground.astype(np.float32)
    weight = (hidden == 0).astype(np.float32)
    shown = values * over_channels(weight, ground)
    low, near = (cv2.GaussianBlur(plane, (0, 0), SMOOTH_PX) for plane in (shown, weight))
    low = low / np.maximum(over_channels(near, ground), 1e-6)
    beside = nearest[labels[at[:, 0], at[:, 1]]]
    mirrored = np.clip(2 * beside - at, 0, np.array(hidden.shape) - 1)
    y, x = np.where(hidden[mirrored[:, 0], mirrored[:, 1], None] == 0, mirrored, beside).T
    values[at[:, 0], at[:, 1]] = low[beside[:, 0], beside[:, 1]] + values[y, x] - low[y, x]
    return values.round().clip(0, 255).astype(np.uint8)
