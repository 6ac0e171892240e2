"""One COCO annotation to pixels, and whether what stands beside its outline agrees with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ledger import Notes
from ..polygons import ShapeFault, check_number, fill_ring, mostly_inside
from ..rle import read_rle

AGREE = 0.5
"""Least intersection over union of a box and its mask's own."""
Box = tuple[float, float, float, float]


def draw_segmentation(value: Any, size_hw: tuple[int, int], notes: Notes, fractions: bool = False) -> np.ndarray:
    """mask_01 (H, W) of a COCO segmentation: RLE or several, polygons, flat, nested or as points (D5, repaired).

    ``fractions``: coordinates are shares of the photograph's sides (D17).

    Raises:
        ShapeFault: D1, D2, D3 for RLE, D5 what is neither, D17 one polygon of fractions among others of pixels, C6,
            C7, C8 for polygons.
    """
    if isinstance(value, dict):
        return read_rle(value, size_hw)
    if not isinstance(value, list) or not value:
        raise ShapeFault("D5", "is missing or empty: a box alone is no mask")
    if all(isinstance(part, dict) for part in value):
        notes.repair("D5", "a list of run lengths counts as its union")
        parts = [read_rle(part, size_hw) for part in value]
    else:
        polygons = _polygons(value, notes)
        parts = [_draw_polygon(flat, number, size_hw, notes, fractions) for number, flat in enumerate(polygons)]
    return parts[0] if len(parts) == 1 else np.bitwise_or.reduce(parts)


def _polygons(value: list[Any], notes: Notes) -> list[Any]:
    """The polygons of a segmentation, each a flat list: ``[x, y, …]``, ``[[x, y], …]`` and ``[[[x, y, …]]]`` too."""
    if not any(isinstance(part, list) for part in value):
        notes.repair("D5", "flat polygon taken as a list of one")
        return [value]
    if len(value) >= 3 and all(isinstance(part, list) and len(part) == 2 and not _nested(part) for part in value):
        notes.repair("D5", "a polygon of points taken as one of numbers")
        return [[number for part in value for number in part]]
    found: list[Any] = []
    for part in value:
        if isinstance(part, list) and _nested(part):
            notes.repair("D5", "polygons nested one level too deep")
            found += _polygons(part, notes) if all(isinstance(inner, list) for inner in part) else [part]
        else:
            found.append(part)
    return found


def _nested(part: list[Any]) -> bool:
    return bool(part) and any(isinstance(inner, list) for inner in part)


def _draw_polygon(flat: Any, number: int, size_hw: tuple[int, int], notes: Notes, fractions: bool) -> np.ndarray:
    if not isinstance(flat, list):
        raise ShapeFault("D5", f"part {number} is {type(flat).__name__}, not a polygon")
    if len(flat) < 6 or len(flat) % 2:
        raise ShapeFault("D5", f"polygon {number} has {len(flat)} numbers, needs an even count of at least 6")
    place = f"polygon {number}"
    points = np.array([check_number(coordinate, place) for coordinate in flat], np.float64).reshape(-1, 2)
    if fractions:
        notes.repair("D17", "coordinates from 0 to 1 scaled to the photograph")
        points = points * [size_hw[1], size_hw[0]]
    else:
        refuse_fractions(points)
    if not mostly_inside(points, size_hw):
        notes.repair("C7", "polygons clipped at the photograph's edge")
    return fill_ring(points, size_hw)


def refuse_fractions(points: np.ndarray) -> None:
    """ShapeFault D17 where an outline lies within the first pixel: its numbers are shares, not pixels."""
    if points.size and points.min() >= 0 and points.max() <= 1:
        raise ShapeFault("D17", "has coordinates from 0 to 1, which are shares of the sides, while others are pixels")


def fill_box(value: Any, size_hw: tuple[int, int], fractions: bool) -> np.ndarray:
    """mask_01 (H, W) of a box [x, y, width, height].

    Raises:
        ShapeFault: D10 no such box, C6 or C7 an empty one, or one outside.
    """
    box = numbers_of(value)
    if box is None:
        raise ShapeFault("D10", "its box is not [x, y, width, height]")
    height, width = size_hw
    x, y, w, h = (box[0] * width, box[1] * height, box[2] * width, box[3] * height) if fractions else box
    ring = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    mostly_inside(ring, size_hw)
    return fill_ring(ring, size_hw)


def numbers_of(value: Any) -> Box | None:
    """A box as four floats; None where it is none."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    try:
        x, y, w, h = (check_number(number, "bbox") for number in value)
    except ShapeFault:
        return None
    return x, y, w, h


def compare(
    row: dict[str, object], found: list[int], true_area: int, size_hw: tuple[int, int], notes: Notes, fractions: bool
) -> None:
    """Note where the file's own box (by more than 1 pixel) or area (by more than a tenth) contradict the mask, of
    which ``found`` is the box and ``true_area`` the pixels.

    Whether box, or without one area, belongs to another outline altogether is told to the whole set (D18).

    Args:
        row: the annotation as the file has it.
        found: [x, y, w, h] of the mask in pixels.
        true_area: its pixels.
        size_hw: height and width of the photograph in pixels.
        notes: of the photograph.
        fractions: whether the set's boxes may be shares of width and height.
    """
    tight = (float(found[0]), float(found[1]), float(found[2]), float(found[3]))
    box = numbers_of(row.get("bbox"))
    if box is not None and fractions and max(box) <= 1:
        height, width = size_hw
        box = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    if box is None or max(abs(given - true) for given, true in zip(box, tight, strict=True)) > 1:
        notes.repair("D10", "box computed anew from the mask")
    area = row.get("area")
    known = isinstance(area, int | float) and not isinstance(area, bool)
    if not known or not abs(area - true_area) <= max(2.0, 0.1 * true_area):  # type: ignore[operator]
        notes.repair("D11", "area computed anew from the mask")
    if box is not None and not row.get("segmentation") and known and area > 0 and not fractions:  # type: ignore[operator]
        notes.boxes.append(0.5 <= float(area) / true_area <= 2 or abs(float(area) - true_area) <= 4)  # type: ignore[arg-type]
    elif box is not None and box[2] > 0 and box[3] > 0:
        corners = (box[0], box[1], box[2] - box[0], box[3] - box[1])
        slack = 1.0  # a thin outline may miss its box by a rounding
        near = max(abs(given - true) for given, true in zip(box, tight, strict=True)) <= slack
        notes.boxes.append(near or max(_iou(box, tight), _iou(corners, tight)) >= AGREE)
    elif known and area > 0 and not fractions:  # type: ignore[operator]
        notes.boxes.append(0.5 <= float(area) / true_area <= 2 or abs(float(area) - true_area) <= 4)  # type: ignore[arg-type]


def _iou(first: Box, second: Box) -> float:
    if min(*first[2:], *second[2:]) <= 0:
        return 0.0
    sides = [min(first[at] + first[at + 2], second[at] + second[at + 2]) - max(first[at], second[at]) for at in (0, 1)]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
