"""Shapes of labelme files (5.5, 6.3, 7.x and its forks) to pixels, each kind by its own rule.

* polygon, oriented_rectangle (4 corners; ``rotation`` in forks): even-odd fill, see ``core.polygons``;
* rectangle: two opposite corners in any order, or four corners; circle: centre and a point on the rim;
* ellipse (forks): two corners of its box, or its centre and the ends of both half axes;
* line, linestrip: drawn as wide as its description says (``width=5``, in pixels; labelme's dialog has a field for
  it), else its own ``line_width`` (forks), else the reader's ``line_width``; refused where none of them is set;
* mask: a picture in its box, corners inclusive; fractional corners are rounded and the picture's own size counts;
* point, points: refused, they have no area.

Shapes of one label and one ``group_id`` are one instance: a shape wholly inside another is a hole, parts that lie apart
stay parts, and shapes that overlap are joined. Coordinates from 0 to 1 are no pixels (D17).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import numpy as np

from ...core.errors import InputError
from ..ledger import Notes
from ..mask_files import decode_mask
from ..polygons import ShapeFault, check_number, ellipse_ring, fill_line, fill_ring, mostly_inside, read_points
from .coco_segmentation import refuse_fractions

NO_AREA = frozenset({"point", "points"})
WIDTH = re.compile(r"(?<![\w.-])width\s*=\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)(?![\w.])", re.ASCII | re.IGNORECASE)
WIDEST = 10_000.0


def draw_shape(
    shape: dict[str, object], size_hw: tuple[int, int], line_width: float | None, notes: Notes
) -> np.ndarray:
    """mask_01 (H, W) of one shape, clipped to the photograph.

    Raises:
        ShapeFault: C4 a mask that is no picture, C5 a kind that is not read, C6, C7, C8 see ``core.polygons``.
    """
    kind = shape.get("shape_type") or "polygon"
    if not isinstance(kind, str):
        raise ShapeFault("C5", "has a shape_type that is no text")
    if kind in NO_AREA:
        raise ShapeFault("C5", f"is of the kind {kind!r}, which has no area: draw a polygon")
    points = read_points(shape.get("points"))
    if kind == "mask":
        return _paste_mask(shape.get("mask"), points, size_hw)
    if kind in {"line", "linestrip"}:
        width = own_line_width(shape, line_width)
        if width is None:
            raise ShapeFault(
                "C5",
                f"is of the kind {kind!r}: say how wide lines are with line_width, or write "
                "width=5 into its description",
            )
        return fill_line(points, width, size_hw)
    if len(points) > 2 or kind not in {"polygon", "circle"}:
        refuse_fractions(points)
    ring = _ring(kind, points)
    if len(ring) and not mostly_inside(ring, size_hw):
        notes.repair("C7", "shapes clipped at the photograph's edge")
    return fill_ring(ring, size_hw)


def own_line_width(shape: dict[str, Any], line_width: float | None) -> float | None:
    """Width in pixels of a line shape: ``width=5`` in its description, its ``line_width``, or the one given.

    Raises:
        ShapeFault: C8 a width that is no number above 0.
    """
    described = WIDTH.search(shape["description"]) if isinstance(shape.get("description"), str) else None
    if described is not None:
        width = float(described[1])
    elif shape.get("line_width") is not None:
        width = check_number(shape["line_width"], "line_width")
    else:
        return line_width
    if not 0 < width <= WIDEST:
        raise ShapeFault("C8", f"says that its line is {width:g} pixels wide")
    return width


def _ring(kind: str, points: np.ndarray) -> np.ndarray:
    if kind == "polygon":
        return points
    if kind == "rectangle":
        _need(kind, points, 2, 4)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if kind in {"oriented_rectangle", "rotation"}:
        _need(kind, points, 4)
        return points
    if kind == "circle":
        _need(kind, points, 2)
        radius = float(np.hypot(*(points[1] - points[0])))
        if radius == 0:
            raise ShapeFault("C6", "the circle has the radius 0")
        return ellipse_ring(points[0], np.eye(2) * radius)
    if kind == "ellipse":
        _need(kind, points, 2, 3)
        if len(points) == 2:
            return ellipse_ring(points.mean(axis=0), np.diag(np.abs(points[1] - points[0]) / 2))
        return ellipse_ring(points[0], points[1:] - points[0])
    raise ShapeFault("C5", f"is of the kind {kind[:30]!a}, which is not known")


def _need(kind: str, points: np.ndarray, *counts: int) -> None:
    if len(points) not in counts:
        raise ShapeFault("C6", f"is a {kind} of {len(points)} points, needs {' or '.join(map(str, counts))}")


def _paste_mask(text: Any, points: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    _need("mask", points, 2)
    try:
        patch = decode_mask("mask", decode_base64(text), Notes())
    except InputError as error:
        raise ShapeFault("C4", f"its mask picture cannot be used: {error.code}: {error.reason}") from error
    (left, top), (right, bottom) = np.rint(points).astype(int)
    box = (int(bottom - top + 1), int(right - left + 1))
    if (points == np.rint(points)).all() and patch.shape != box:
        raise ShapeFault("B1", f"its mask is {patch.shape[1]}x{patch.shape[0]}, its box {box[1]}x{box[0]}")
    mask_01 = np.zeros(size_hw, np.uint8)
    low = np.maximum([top, left], 0)
    high = np.minimum([top + patch.shape[0], left + patch.shape[1]], size_hw)
    if (high <= low).any():
        raise ShapeFault("C7", f"lies wholly outside the photograph of {size_hw[1]}x{size_hw[0]}")
    mask_01[low[0] : high[0], low[1] : high[1]] = patch[low[0] - top : high[0] - top, low[1] - left : high[1] - left]
    if not mask_01.any():
        raise ShapeFault("C6", "its mask is empty")
    return mask_01


def decode_base64(text: Any) -> bytes:
    """The bytes of a base64 text; ShapeFault C4 where it is none."""
    if not isinstance(text, str):
        raise ShapeFault("C4", "holds no base64 text")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ShapeFault("C4", f"is not base64 ({error})") from error
