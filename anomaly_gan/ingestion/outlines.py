"""The exact outline of a mask: rings along pixel edges, which fill to the same pixels again.

A ring runs through corners of pixels, so a mask of one pixel at (3, 5) has the outline (3, 5), (4, 5), (4, 6), (3, 6).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

Point = tuple[int, int]
RIGHT = {(1, 0): (0, 1), (0, 1): (-1, 0), (-1, 0): (0, -1), (0, -1): (1, 0)}
"""The direction after a turn to the right, x to the right and y down."""


def rings(mask_01: np.ndarray) -> list[list[Point]]:
    """All outlines of mask_01 (H, W), outer ones and holes, lists of corners (x, y); the mask is on the right."""
    padded = np.pad(mask_01.astype(bool), 1)
    inner = padded[1:-1, 1:-1]
    starts: dict[Point, list[Point]] = defaultdict(list)
    for away, shift, way in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    ):
        for y, x in np.argwhere(inner & ~away).tolist():
            starts[x + shift[0], y + shift[1]].append(way)
    found = []
    while starts:
        first = min(starts, key=lambda corner: (corner[1], corner[0]))
        found.append(_walk(starts, first))
    return found


def _walk(starts: dict[Point, list[Point]], first: Point) -> list[Point]:
    """One closed ring from the corner ``first``; where two pixels touch by a corner, they are kept apart."""
    corner, ring = first, []
    way = _take(starts, corner, starts[corner][0])
    before: Point | None = None
    while True:
        if way != before:
            ring.append(corner)
        before = way
        corner = (corner[0] + way[0], corner[1] + way[1])
        if corner == first:
            return ring
        ways = starts[corner]
        way = _take(starts, corner, RIGHT[way] if RIGHT[way] in ways else ways[0])


def _take(starts: dict[Point, list[Point]], corner: Point, way: Point) -> Point:
    starts[corner].remove(way)
    if not starts[corner]:
        del starts[corner]
    return way


def one_ring(mask_01: np.ndarray) -> list[Point]:
    """All outlines as one ring: each further one is reached by a line there and back, which has no width.

    By the even-odd rule the ring fills to the same pixels.
    """
    found = rings(mask_01)
    joined = list(found[0])
    for ring in found[1:]:
        joined += [joined[0], *ring, ring[0]]
    return [*joined, joined[0]] if len(found) > 1 else joined
