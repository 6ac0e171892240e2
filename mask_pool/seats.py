"""Finding the fixed object (a screw, say) on a normal photograph, from where experts marked it on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from anomaly_gan.core.records import ImageRecord

from .cut import Element

FLATTEST = 2.0
"""Grey levels of standard deviation below which a patch shows no object: its correlation is noise."""
SMALLEST_PX = 6
"""Side below which a reduced template matches anything."""


@dataclass(frozen=True)
class Seat:
    """Centre of a fixed object in pixels of its photograph; ``score`` is the correlation, None where marked."""

    x: float
    y: float
    score: float | None


@dataclass(frozen=True, eq=False)
class Template:
    """Grey patch (H, W) uint8 around a fixed object; the object's box centre and size in pixels of the patch."""

    patch: np.ndarray
    centre_xy: tuple[float, float]
    box_wh: tuple[int, int]


def cut_template(gray_HW: np.ndarray, element: Element, margin: float) -> Template | None:
    """The photograph under an expert's drawing, with ``margin`` of the box on each side; None where it is flat."""
    x, y, w, h = element.box
    extra_x, extra_y = round(margin * w), round(margin * h)
    left, top = max(0, x - extra_x), max(0, y - extra_y)
    patch = gray_HW[top:y + h + extra_y, left:x + w + extra_x]
    if float(patch.std()) < FLATTEST:
        return None
    centre_x, centre_y = element.centre_xy
    return Template(np.ascontiguousarray(patch), (centre_x - left, centre_y - top), (w, h))


class SeatFinder:
    """Finds seats by normalised correlation; every photograph is searched at most once.

    Args:
        templates: what the object looks like.
        read: image record -> gray (H, W) uint8.
        least_score: correlation from which a match counts, in (0, 1].
        scales: sizes tried relative to the templates.
        side_px: photographs with a longer side are reduced to it, templates with them.
    """

    def __init__(self, templates: Sequence[Template], read: Callable[[ImageRecord], np.ndarray], least_score: float,
                 scales: Sequence[float], side_px: int) -> None:
        self.templates, self.read = list(templates), read
        self.least_score, self.scales, self.side_px = least_score, list(scales), side_px
        self._found: dict[int, list[Seat]] = {}

    def seats(self, image: ImageRecord) -> list[Seat]:
        """The seats on a photograph, best first, none overlapping another."""
        if not self.templates:
            return []
        if image.id not in self._found:
            self._found[image.id] = self._search(self.read(image))
        return self._found[image.id]

    def _search(self, gray_HW: np.ndarray) -> list[Seat]:
        reduced = min(1.0, self.side_px / max(gray_HW.shape))
        target = _resize(gray_HW, reduced)
        matches: list[tuple[float, float, float, float, float]] = []
        for template in self.templates:
            for scale in self.scales:
                matches += _matches(target, template, reduced, scale, self.least_score)
        return _without_overlap(sorted(matches, key=lambda match: (-match[0], match[1:])))


def _matches(target: np.ndarray, template: Template, reduced: float,
             scale: float, least_score: float) -> list[tuple[float, float, float, float, float]]:
    """Peaks (score, centre x, centre y, box w, box h) of one template at one scale, in pixels of the photograph."""
    patch = _resize(template.patch, reduced * scale)
    if min(patch.shape) < SMALLEST_PX or patch.shape[0] > target.shape[0] or patch.shape[1] > target.shape[1]:
        return []
    score = cv2.matchTemplate(target, patch, cv2.TM_CCOEFF_NORMED)
    score[~np.isfinite(score) | (np.abs(score) > 1.01)] = 0.0  # what OpenCV answers over perfectly flat regions
    around = np.ones((max(3, patch.shape[0] // 2), max(3, patch.shape[1] // 2)), np.uint8)
    peaks = (score >= least_score) & (score == cv2.dilate(score, around))
    factor_x, factor_y = patch.shape[1] / template.patch.shape[1], patch.shape[0] / template.patch.shape[0]
    return [
        (float(score[y, x]),
         (x + (template.centre_xy[0] + 0.5) * factor_x) / reduced - 0.5,
         (y + (template.centre_xy[1] + 0.5) * factor_y) / reduced - 0.5,
         template.box_wh[0] * scale, template.box_wh[1] * scale)
        for y, x in zip(*np.nonzero(peaks), strict=True)
    ]


def _without_overlap(matches: list[tuple[float, float, float, float, float]]) -> list[Seat]:
    """Non-maximum suppression: a match goes where its box overlaps a better one's."""
    kept: list[tuple[float, float, float, float, float]] = []
    for match in matches:
        if all(abs(match[1] - other[1]) >= (match[3] + other[3]) / 2
               or abs(match[2] - other[2]) >= (match[4] + other[4]) / 2 for other in kept):
            kept.append(match)
    return [Seat(x, y, min(1.0, score)) for score, x, y, _, _ in kept]


def _resize(gray_HW: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1.0:
        return gray_HW
    height, width = (max(1, round(side * factor)) for side in gray_HW.shape)
    return cv2.resize(gray_HW, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
