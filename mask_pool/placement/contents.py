"""Which way the lines run that are in a category's real masks.

Brush lines keep to the surface's grain whatever the shape of their label: a label along the tile and one across it hold
lines of one direction, and a mask turned by a quarter turn would turn them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly_gan.part.lines import lines_in

from ..elements.real import Element
from ..recombination.spread import DIRECTED_SHARE, Spread
from .real_masks import Scenes

LOOKED_AT = 128
"""Masks of a category that are looked at."""
MARGIN_PX = 4


def contents_of(scenes: Scenes, elements: Sequence[Element]) -> Spread | None:
    """What the lines in the real masks show of direction; None where few masks hold lines, or none is preferred."""
    shown = [element for element in elements if element.parent_image in scenes]
    looked = shown[:: max(1, -(-len(shown) // LOOKED_AT))]
    angles, groups = [], []
    for element in looked:
        found = lines_in(*_window(scenes, element))
        if found is not None and found.seen:
            angles.append(found.angle)
            groups.append(element.parent_group)
    if len(angles) < max(1, DIRECTED_SHARE * len(looked)):
        return None
    spread = Spread.of_angles(np.array(angles), groups, (1.0, 1.0))
    return spread if spread.kind == "preferred" else None


def _window(scenes: Scenes, element: Element) -> tuple[np.ndarray, np.ndarray]:
    """A mask's surroundings in gray, and the mask in them."""
    x, y, width, height = element.box
    left, top = max(0, x - MARGIN_PX), max(0, y - MARGIN_PX)
    gray = scenes.gray(element.parent_image)[top : y + height + MARGIN_PX, left : x + width + MARGIN_PX]
    mask = np.zeros(gray.shape, np.uint8)
    mask[y - top : y - top + height, x - left : x - left + width] = element.bitmap
    return np.ascontiguousarray(gray), mask
