"""Finding the fixed object (a screw, say) on a normal photograph, from where experts marked it on others.

One template is not enough: light falls differently on every photograph, and straight edges beside the object match
each other. So a place is an anchor where several marked objects agree, each in its quarter turns (a turned template
stands for a turned lamp), compared under a round outline. What was found (or marked) on a photograph is then looked
for again on the same one, where light and make are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from anomaly_gan.core.dataset import ImageRecord

from ..elements.real import Element
from .correlation import Correlator, Outline, mean_of_best, peaks

OBJECT_PX = 20
"""Photographs are reduced until the object has this size: enough to know it, and cheap at any resolution."""
SMALLEST_PX = 6
"""Objects smaller than this match anything."""
VOTES = 3
"""Templates that must agree (the mean of the best ones counts)."""
OWN_TEMPLATES = 4
"""Anchors of the photograph itself that are looked for again on it."""
OWN_MORE = 0.05
"""By how much more than ``least_score`` such a match must correlate: it is easier to reach."""
ROUND = 1.25
"""Width to height up to which quarter turns make sense; longer objects are turned by halves."""


@dataclass(frozen=True)
class Anchor:
    """Centre of a fixed object in pixels of its photograph, its size, and how it is known.

    ``place`` is ``seat`` (found; ``score`` is its correlation), ``expert_seat`` (marked) or ``uniform`` (anywhere).
    """

    x: float
    y: float
    width: float
    height: float
    place: str
    score: float | None = None

    @classmethod
    def marked(cls, element: Element) -> Anchor:
        return cls(*element.centre_xy, element.box[2], element.box[3], "expert_seat")

    def apart(self, other: Anchor) -> bool:
        """Whether the boxes of two anchors do not overlap."""
        return (
            abs(self.x - other.x) >= (self.width + other.width) / 2
            or abs(self.y - other.y) >= (self.height + other.height) / 2
        )


class AnchorFinder:
    """The anchors on normal photographs; every photograph is searched at most once.

    Args:
        marks: the experts' marks on the object, the most trusted first.
        photographs: the photograph of every mark, by file name.
        read: image record -> gray (H, W) uint8.
        templates: how many of the marks are used as templates.
        least_score: correlation from which a place is an anchor, in (0, 1].
        scales: sizes looked for, relative to the marks' median size.
        margin: surroundings taken into a template, as a share of the box on each side.
    """

    def __init__(
        self,
        marks: Sequence[Element],
        photographs: Mapping[str, ImageRecord],
        read: Callable[[ImageRecord], np.ndarray],
        *,
        templates: int,
        least_score: float,
        scales: Sequence[float],
        margin: float,
    ) -> None:
        self.read, self.least_score, self.scales, self.margin = read, least_score, list(scales), margin
        self.marked: dict[int, list[Anchor]] = {}
        for mark in marks:
            self.marked.setdefault(photographs[mark.parent_image].id, []).append(Anchor.marked(mark))
        used = list(marks)[:templates]
        self._width, self._height = _object_size(used)
        self._reduced = min(1.0, OBJECT_PX / max(self._width, self._height))
        self._patches = [_around(read(photographs[mark.parent_image]), mark, margin) for mark in used]
        self._templates: dict[float, list[list[np.ndarray]]] = {}
        self._found: dict[int, list[Anchor]] = {}

    def anchors(self, image: ImageRecord) -> list[Anchor]:
        """The anchors on a photograph, the marked ones first, then the best, none overlapping another."""
        if not self._patches:
            return []
        if image.id not in self._found:
            self._found[image.id] = self._search(self.read(image), self.marked.get(image.id, []))
        return self._found[image.id]

    def _search(self, gray_HW: np.ndarray, marked: Sequence[Anchor]) -> list[Anchor]:
        target = _resize(gray_HW.astype(np.float32), *(max(1, round(side * self._reduced)) for side in gray_HW.shape))
        correlators: dict[float, Correlator] = {}
        matches: list[Anchor] = []
        for scale in self.scales:
            outline = self._outline(scale)
            height, width = outline.inside.shape
            if min(height, width) < SMALLEST_PX or height > target.shape[0] or width > target.shape[1]:
                continue
            correlator = correlators[scale] = Correlator(target, outline)
            votes = [correlator.best_of(turned) for turned in self._turned(scale)]
            if votes:
                matches += self._anchors_at(mean_of_best(votes, VOTES), self.least_score, scale)
        sure = _without_overlap([*marked, *_best_first(matches)])
        again: list[Anchor] = []
        for anchor in sure[:OWN_TEMPLATES]:
            again += self._like(anchor, target, correlators)
        return _without_overlap([*sure, *_best_first(again)])

    def _like(self, anchor: Anchor, target: np.ndarray, correlators: Mapping[float, Correlator]) -> list[Anchor]:
        """Places of the photograph that look like one of its own anchors."""
        if not correlators:
            return []
        scale = min(correlators, key=lambda one: abs(one * self._width - anchor.width))
        correlator = correlators[scale]
        height, width = correlator.outline.inside.shape
        left = round((anchor.x + 0.5) * self._reduced - width / 2)
        top = round((anchor.y + 0.5) * self._reduced - height / 2)
        if left < 0 or top < 0 or left + width > target.shape[1] or top + height > target.shape[0]:
            return []
        own = correlator.outline.standardise(target[top : top + height, left : left + width])
        if own is None:
            return []
        return self._anchors_at(correlator.best_of([own]), min(0.99, self.least_score + OWN_MORE), scale)

    def _anchors_at(self, score: np.ndarray, least: float, scale: float) -> list[Anchor]:
        height, width = self._outline(scale).inside.shape
        return [
            Anchor(
                (x + width / 2) / self._reduced - 0.5,
                (y + height / 2) / self._reduced - 0.5,
                self._width * scale,
                self._height * scale,
                "seat",
                found,
            )
            for found, x, y in peaks(score, least, (height // 2, width // 2))
        ]

    def _outline(self, scale: float) -> Outline:
        grown = (1 + 2 * self.margin) * scale * self._reduced
        return Outline(max(1, round(self._height * grown)), max(1, round(self._width * grown)))

    def _turned(self, scale: float) -> list[list[np.ndarray]]:
        """Every template at this scale, standardised, in its turns; flat ones are left out."""
        if scale not in self._templates:
            outline = self._outline(scale)
            height, width = outline.inside.shape
            turns = (0, 1, 2, 3) if height == width else (0, 2)
            standard = [outline.standardise(_resize(patch, height, width)) for patch in self._patches]
            self._templates[scale] = [
                [np.ascontiguousarray(np.rot90(patch, turn)) for turn in turns]
                for patch in standard
                if patch is not None
            ]
        return self._templates[scale]


def _object_size(marks: Sequence[Element]) -> tuple[float, float]:
    """Median (width, height) of the marks in pixels; the same twice for what is about as wide as high."""
    if not marks:
        return 1.0, 1.0
    width, height = (float(np.median([mark.box[side] for mark in marks])) for side in (2, 3))
    return ((width + height) / 2,) * 2 if max(width, height) <= ROUND * min(width, height) else (width, height)


def _around(gray_HW: np.ndarray, mark: Element, margin: float) -> np.ndarray:
    """The photograph under a mark's box with its margin, float32; the border is repeated where it ends."""
    x, y, w, h = mark.box
    extra_x, extra_y = round(margin * w), round(margin * h)
    padded = cv2.copyMakeBorder(gray_HW, extra_y, extra_y, extra_x, extra_x, cv2.BORDER_REPLICATE)
    return padded[y : y + h + 2 * extra_y, x : x + w + 2 * extra_x].astype(np.float32)


def _resize(gray_HW: np.ndarray, height: int, width: int) -> np.ndarray:
    if gray_HW.shape == (height, width):
        return gray_HW
    smaller = height * width < gray_HW.shape[0] * gray_HW.shape[1]
    return cv2.resize(gray_HW, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _best_first(anchors: Sequence[Anchor]) -> list[Anchor]:
    return sorted(anchors, key=lambda anchor: (-(anchor.score or 0.0), anchor.y, anchor.x, anchor.width))


def _without_overlap(anchors: Sequence[Anchor]) -> list[Anchor]:
    """Non-maximum suppression: an anchor goes where its box overlaps that of an earlier one."""
    kept: list[Anchor] = []
    for anchor in anchors:
        if all(anchor.apart(other) for other in kept):
            kept.append(anchor)
    return kept
