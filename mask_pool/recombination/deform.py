"""Changing the shape of one mask: elastic displacement, growth and thinning, broken parts. Pure bitmap -> bitmap.

A bitmap is mask_01 (h, w), not empty. Foreground is 8-connected, background 4-connected, as everywhere in this
package. Every function states what it did to the mask; chance comes from a seed of its own, so that a record of
(kind, seed, parameters) is enough to do the same again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from anomaly_gan.core.masks import Axes

from ..elements.real import tight
from .topology import SIMPLE, parts_and_holes

CONTROL_SHARE = 0.3
"""Distance of the displacement's control points, as a share of the longer side of the mask's box."""
HALVINGS = 4
"""How often an elastic displacement is halved until parts and holes are the same as before."""
CUT_TRIES = 24
"""Lines drawn until one cuts a part into exactly two."""
SPLINTER_SHARE = 0.04
"""Both sides of a cut keep at least this share of the part."""


@dataclass(frozen=True, eq=False)
class Deformed:
    """A tight bitmap, its corner (x, y) in pixels of the bitmap it was made of, and the record of what was done."""

    bitmap: np.ndarray
    corner: tuple[int, int]
    record: dict[str, object]


def apply(bitmap_01: np.ndarray, step: Mapping[str, Any]) -> Deformed:
    """Do (again) what a record says; what it measured is measured anew.

    Raises:
        ValueError: the record's kind is unknown.
    """
    if step["kind"] == "elastic":
        return elastic(bitmap_01, step["strength"], step["seed"])
    if step["kind"] == "grow":
        return grow(bitmap_01, step["share"], keep_topology=step.get("keep_topology", True))
    if step["kind"] == "break":
        return break_apart(bitmap_01, step["parts"], step["gap_px"], step["seed"])
    raise ValueError(f"unknown deformation {step['kind']!r}")


def elastic(bitmap_01: np.ndarray, strength: float, seed: int) -> Deformed:
    """Displace the mask by a smooth random field.

    Args:
        strength: root mean square of the displacement, relative to the mask's size (the square root of its area, so
            that a thin line is displaced by its width rather than its length), >= 0.
        seed: of the field.

    Returns:
        The displaced mask with as many parts and holes as before: where the field would tear or fill, it is halved.
        Measured are the root mean square ``moved_px`` and the share of pixels in common (``iou``).
    """
    area = int(np.count_nonzero(bitmap_01))
    reach = strength * math.sqrt(area)
    pad = math.ceil(3 * reach) + 2
    padded = np.pad((bitmap_01 != 0).astype(np.uint8), pad)
    field = _smooth_field(padded.shape, CONTROL_SHARE * max(bitmap_01.shape), np.random.default_rng(seed))
    before = parts_and_holes(padded)
    rows, columns = (axis.astype(np.float32) for axis in np.indices(padded.shape))
    result, used = padded, 0.0
    for halving in range(HALVINGS + 1 if strength > 0 else 0):
        moved = reach / 2**halving
        at = columns + moved * field[0], rows + moved * field[1]
        # thin lines blur away between two rows; the nearest pixel keeps them whole
        found = next(
            (
                candidate
                for candidate in (_sample(padded, *at, cv2.INTER_LINEAR), _sample(padded, *at, cv2.INTER_NEAREST))
                if candidate.any() and parts_and_holes(candidate) == before
            ),
            None,
        )
        if found is not None:
            result, used = found, moved
            break
    record = {
        "kind": "elastic",
        "strength": strength,
        "seed": seed,
        "measured": {"moved_px": round(used, 4), "iou": _iou(padded, result)},
    }
    return _tight(result, (-pad, -pad), record)


def grow(bitmap_01: np.ndarray, share: float, keep_topology: bool = True) -> Deformed:
    """Grow (``share`` > 0) or thin (< 0, > -1) the mask by this share of its area, evenly along its outline.

    Pixels are taken by their distance from the outline, so that the share is met to the pixel. With
    ``keep_topology`` no part is lost, split off or joined and no hole filled or opened (only simple points change;
    Kong and Rosenfeld 1989), at the price that the share may not be reached: the share that was is measured.

    Raises:
        ValueError: ``share`` is not above -1.
    """
    if share <= -1:
        raise ValueError(f"share: must be above -1, is {share}")
    bitmap = (bitmap_01 != 0).astype(np.uint8)
    area = int(bitmap.sum())
    target = max(1, round(area * (1 + share)))
    change = 1 if target > area else 0
    pad = 2 + (math.ceil(math.sqrt(target)) if change else 0)
    padded = np.pad(bitmap, pad)
    order = _from_outline(padded, change)
    wanted = abs(target - area)
    if keep_topology:
        result = _change_simple(padded, order, wanted, change)
    else:
        result = padded.copy()
        result.ravel()[order[:wanted]] = change
    reached = int(result.sum()) / area - 1
    return _tight(
        result,
        (-pad, -pad),
        {"kind": "grow", "share": share, "keep_topology": keep_topology, "measured": {"share": round(reached, 6)}},
    )


def break_apart(bitmap_01: np.ndarray, parts: int, gap_px: float, seed: int) -> Deformed:
    """Cut the mask by straight gaps until it has ``parts`` parts; the largest part is cut next.

    A cut runs across the part's main axis, not quite at right angles, somewhere in its middle half. What has that
    many parts already, or is too small to cut, stays as it is; the parts that came out are measured.

    Args:
        gap_px: width of a gap in pixels, at least 1.5 (narrower ones leave pixels touching at corners).
    """
    rng = np.random.default_rng(seed)
    gap_px = max(1.5, gap_px)
    result = (bitmap_01 != 0).astype(np.uint8)
    area = int(result.sum())
    number = before = parts_and_holes(result)[0]
    while number < parts:
        cut = _cut_largest(result, gap_px, rng)
        if cut is None:
            break
        result, number = cut, number + 1
    record = {
        "kind": "break",
        "parts": parts,
        "gap_px": gap_px,
        "seed": seed,
        "measured": {"parts": number, "parts_before": before, "area_lost": round(1 - int(result.sum()) / area, 6)},
    }
    return _tight(result, (0, 0), record)


def _tight(bitmap: np.ndarray, corner: tuple[int, int], record: dict[str, object]) -> Deformed:
    (x, y, _, _), own = tight(bitmap)
    return Deformed(own, (corner[0] + x, corner[1] + y), record)


def _smooth_field(shape: tuple[int, ...], spacing_px: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth displacements (2, h, w) in x and y with root mean square 1 over both together."""
    spacing_px = max(4.0, spacing_px)
    knots = [max(3, math.ceil(side / spacing_px) + 1) for side in shape]
    coarse = rng.standard_normal((2, *knots)).astype(np.float32)
    field = np.stack([cv2.resize(one, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC) for one in coarse])
    # a common shift is no deformation
    field -= field.mean(axis=(1, 2), keepdims=True)
    return field / max(float(np.sqrt((field**2).sum(axis=0).mean())), 1e-6)


def _sample(bitmap: np.ndarray, columns: np.ndarray, rows: np.ndarray, how: int) -> np.ndarray:
    grey = cv2.remap(bitmap * np.uint8(255), columns, rows, how, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return (grey > 127).astype(np.uint8)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return round(float(np.count_nonzero(first & second) / np.count_nonzero(first | second)), 6)


def _from_outline(padded: np.ndarray, change: int) -> np.ndarray:
    """Flat indices of the pixels that may become ``change``, the nearest to the outline first."""
    other = (padded != change).astype(np.uint8)
    distance = cv2.distanceTransform(other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).ravel()
    # of equal distance, hollows fill and tips go first
    mean = cv2.GaussianBlur(padded.astype(np.float32), (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE).ravel()
    inner = np.zeros(padded.shape, bool)
    inner[1:-1, 1:-1] = True
    candidates = np.flatnonzero((padded.ravel() != change) & inner.ravel())
    keys = (np.round(-mean[candidates] if change else mean[candidates], 4), np.round(distance[candidates], 3))
    return candidates[np.lexsort(keys)]


def _change_simple(padded: np.ndarray, order: np.ndarray, wanted: int, change: int) -> np.ndarray:
    """Change up to ``wanted`` pixels in this order, each only while that alters no part and no hole."""
    width = padded.shape[1]
    around = (1, 1 - width, -width, -width - 1, -1, width - 1, width, width + 1)
    pixels = bytearray(padded.tobytes())
    waiting, left = order.tolist(), wanted
    while left > 0:
        refused = []
        for at in waiting:
            code = 0
            for bit, step in enumerate(around):
                code |= pixels[at + step] << bit
            if SIMPLE[code]:
                pixels[at] = change
                left -= 1
                if left == 0:
                    break
            else:
                refused.append(at)
        if len(refused) == len(waiting):
            break
        waiting = refused
    return np.frombuffer(bytes(pixels), np.uint8).reshape(padded.shape).copy()


def _cut_largest(bitmap: np.ndarray, gap_px: float, rng: np.random.Generator) -> np.ndarray | None:
    """The bitmap with its largest part cut in two; None where no line does that."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bitmap, connectivity=8)
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    part = labels == label
    points = np.argwhere(part)[:, ::-1].astype(float)
    if len(points) < 3:
        return None
    x, y = Axes.of_points(points).vectors[0]
    main = math.atan2(y, x)
    rows, columns = np.indices(bitmap.shape)
    for attempt in range(CUT_TRIES):
        slant = float(rng.normal(0.0, 0.25 + 0.05 * attempt))
        along = np.array([math.cos(main + slant), math.sin(main + slant)])
        middle = float(np.quantile(points @ along, rng.uniform(0.25, 0.75)))
        gap = part & (np.abs(columns * along[0] + rows * along[1] - middle) <= gap_px / 2)
        rest = (part & ~gap).astype(np.uint8)
        number, _, sizes, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
        if number == 3 and sizes[1:, cv2.CC_STAT_AREA].min() >= SPLINTER_SHARE * len(points):
            return np.where(gap, np.uint8(0), bitmap)
    return None
