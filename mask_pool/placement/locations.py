"""Where an element goes: near real positions or anywhere for irregular shapes, onto anchors for fixed ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..elements.real import Element
from ..recombination.recombine import Canvas, Placed, Turned, unturned
from .anchors import Anchor


def real_positions(elements: Sequence[Element]) -> np.ndarray:
    """Centres (N, 2) of real elements as x / width, y / height of their photographs, in [0, 1]."""
    centres = [
        ((element.centre_xy[0] + 0.5) / element.parent_size[1], (element.centre_xy[1] + 0.5) / element.parent_size[0])
        for element in elements
    ]
    return np.array(centres, float).reshape(-1, 2)


def slide_to_border(canvas: Canvas, turned: Turned, x: int, y: int) -> tuple[int, int]:
    """The corner (x, y), moved so that the sides at which the element was cut off lie at the photograph's border."""
    h, w = turned.bitmap.shape
    for side_x, side_y in turned.cut_sides():
        x = {-1: 0, 0: x, 1: canvas.width - w}[side_x]
        y = {-1: 0, 0: y, 1: canvas.height - h}[side_y]
    return x, y


def place_on_anchors(
    elements: Sequence[Element], anchors: Sequence[Anchor], rng: np.random.Generator, canvas: Canvas, number: int
) -> list[Placed]:
    """Up to ``number`` elements, moved without turning so that their box centres lie on drawn anchors."""
    placed: list[Placed] = []
    for index in rng.permutation(len(anchors)):
        if len(placed) == number:
            break
        anchor = anchors[int(index)]
        turned = unturned(elements[int(rng.integers(len(elements)))])
        h, w = turned.bitmap.shape
        x, y = round(anchor.x - (w - 1) / 2), round(anchor.y - (h - 1) / 2)
        if canvas.is_free(turned.bitmap, x, y):
            canvas.put(turned.bitmap, x, y)
            how: dict[str, object] = {"place": anchor.place}
            if anchor.score is not None:
                how["seat_score"] = round(anchor.score, 4)
            placed.append(Placed(turned, x, y, how))
    return placed
