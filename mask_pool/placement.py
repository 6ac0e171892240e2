"""Where an element goes: near real positions or anywhere for irregular shapes, onto seats for fixed ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cut import Element
from .recombine import Canvas, Placed, Turned, unturned
from .seats import Seat


def real_positions(elements: Sequence[Element]) -> np.ndarray:
    """Centres (N, 2) of real elements as x / width, y / height of their photographs, in [0, 1]."""
    centres = [
        ((element.centre_xy[0] + 0.5) / element.parent_size[1], (element.centre_xy[1] + 0.5) / element.parent_size[0])
        for element in elements
    ]
    return np.array(centres, float).reshape(-1, 2)


def draw_place(rng: np.random.Generator, canvas: Canvas, bitmap: np.ndarray, positions: np.ndarray,
               prior_share: float, jitter: float) -> tuple[int, int, dict[str, Any]]:
    """A corner (x, y) at which ``bitmap`` lies inside the photograph.

    With chance ``prior_share`` its centre is near that of a real element (``positions`` (N, 2) in [0, 1], normal
    jitter of ``jitter`` of each side, moved inside where needed: nothing is clipped), else uniform.

    Raises:
        ValueError: the bitmap is larger than the photograph.
    """
    room = canvas.room(bitmap)
    if room is None:
        raise ValueError(f"a bitmap of {bitmap.shape} does not fit a photograph of {canvas.height} x {canvas.width}")
    first_x, last_x, first_y, last_y = room
    if len(positions) and rng.random() < prior_share:
        centre = positions[int(rng.integers(len(positions)))] + rng.normal(0.0, jitter, 2)
        x = round(float(centre[0]) * canvas.width - bitmap.shape[1] / 2)
        y = round(float(centre[1]) * canvas.height - bitmap.shape[0] / 2)
        return min(max(x, first_x), last_x), min(max(y, first_y), last_y), {"place": "real"}
    return int(rng.integers(first_x, last_x + 1)), int(rng.integers(first_y, last_y + 1)), {"place": "uniform"}


def slide_to_border(canvas: Canvas, turned: Turned, x: int, y: int) -> tuple[int, int]:
    """The corner (x, y), moved so that the sides at which the element was cut off lie at the photograph's border."""
    h, w = turned.bitmap.shape
    for side_x, side_y in turned.cut_sides():
        x = {-1: 0, 0: x, 1: canvas.width - w}[side_x]
        y = {-1: 0, 0: y, 1: canvas.height - h}[side_y]
    return x, y


def seat_elements(elements: Sequence[Element], seats: Sequence[Seat], rng: np.random.Generator, canvas: Canvas,
                  number: int) -> list[Placed]:
    """Up to ``number`` elements, moved without turning so that their box centres lie on drawn seats."""
    placed: list[Placed] = []
    for index in rng.permutation(len(seats)):
        if len(placed) == number:
            break
        seat = seats[int(index)]
        turned = unturned(elements[int(rng.integers(len(elements)))])
        h, w = turned.bitmap.shape
        x, y = round(seat.x - (w - 1) / 2), round(seat.y - (h - 1) / 2)
        if canvas.is_free(turned.bitmap, x, y):
            canvas.put(turned.bitmap, x, y)
            how: dict[str, Any] = {"place": seat.place}
            if seat.score is not None:
                how["seat_score"] = round(seat.score, 4)
            placed.append(Placed(turned, x, y, how))
    return placed
