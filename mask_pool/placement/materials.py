"""Which of two materials the real masks of a category lie on.

Metal tracks on laminate, a rubber lip on steel: photographs without a part may show two materials that differ in
brightness, and a pit of the one cannot be on the other. A photograph shows two where its brightness falls into two well
separated levels (Otsu 1979) whose border is steeper than anything within them. Whether a category keeps to one of them
is tested: so many objects' defects would seldom lie on it by chance, given its share of their photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..elements.real import Element
from .maps import paint_out
from .real_masks import Scenes

LARGEST_PX = 512 * 512
"""Photographs of more pixels are reduced before they are looked at."""
BLUR = 1.5
SEPARATED = 0.7
"""Least share of the variance that lies between the two levels."""
STEEP = 1.0
"""Least ratio of the border's median gradient to the 95th percentile elsewhere."""
AREA = (0.03, 0.97)
LEAST_SHARE = 0.7
"""Least share of the real masks' photographs that must show two materials."""
ALMOST_ALL = 0.9
"""Least share of the objects whose masks lie mostly on the one."""
SIGNIFICANT = 0.05
LEAST_QUANTILE = 0.05
"""Of the real masks' shares on their material; less is no place for this category."""


def bright_material(gray: np.ndarray) -> np.ndarray | None:
    """bool (H, W): the brighter of two materials on a photograph (H, W) uint8; None where it does not show two."""
    factor = min(1.0, (LARGEST_PX / gray.size) ** 0.5)
    size = max(1, round(gray.shape[1] * factor)), max(1, round(gray.shape[0] * factor))
    small = gray if factor == 1.0 else cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), BLUR)
    _, split = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    area, levels = float(split.mean()), smooth.astype(np.float32)
    if not AREA[0] <= area <= AREA[1]:
        return None
    between = float(levels[split > 0].mean() - levels[split == 0].mean())
    steep = np.hypot(cv2.Sobel(levels, cv2.CV_32F, 1, 0), cv2.Sobel(levels, cv2.CV_32F, 0, 1))
    border = cv2.morphologyEx(split, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    within = cv2.dilate(border, np.ones((9, 9), np.uint8)) == 0
    if area * (1 - area) * between**2 < SEPARATED * float(levels.var()) or not within.any():
        return None
    if float(np.median(steep[border > 0])) < STEEP * (float(np.quantile(steep[within], 0.95)) + 1.0):
        return None
    return cv2.resize(split, gray.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


@dataclass(frozen=True)
class MaterialHabit:
    """Of a category that keeps to the brighter (``bright``) or darker material: N of its ``objects`` lie mostly
    ``on_it``, which chance does with probability ``p``; at least ``least_share`` of a mask lies on it."""

    bright: bool
    on_it: int
    objects: int
    p: float
    least_share: float

    @classmethod
    def learn(cls, scenes: Scenes, elements: Sequence[Element]) -> MaterialHabit | None:
        """From the real masks on their photographs, painted out; None where these do not show two materials, or the
        masks lie on both."""
        shares: list[float] = []
        areas: list[float] = []
        groups: list[str] = []
        by_file: dict[str, list[Element]] = {}
        for element in elements:
            by_file.setdefault(element.parent_image, []).append(element)
        for file, own in by_file.items():  # each photograph is looked at once, each mask in its own box
            bright = bright_material(paint_out(scenes.gray(file), scenes.defects(file)))
            if bright is None:
                continue
            area = float(bright.mean())
            for element in own:
                x, y, width, height = element.box
                shares.append(float(bright[y : y + height, x : x + width][element.bitmap != 0].mean()))
                areas.append(area)
                groups.append(element.parent_group)
        if len(shares) < max(1, LEAST_SHARE * len(elements)):
            return None
        habits = [cls._of(bright, np.array(shares), np.array(areas), groups) for bright in (True, False)]
        return next((habit for habit in habits if habit is not None), None)

    @classmethod
    def _of(cls, bright: bool, shares: np.ndarray, areas: np.ndarray, groups: Sequence[str]) -> MaterialHabit | None:
        shares, areas = (shares, areas) if bright else (1 - shares, 1 - areas)
        of_object = [[at for at, own in enumerate(groups) if own == group] for group in sorted(set(groups))]
        on_it = sum(bool(shares[own].mean() > 0.5) for own in of_object)
        p = _at_least(on_it, [float(areas[own].mean()) for own in of_object])
        if on_it < ALMOST_ALL * len(of_object) or p >= SIGNIFICANT:
            return None
        return cls(bright, on_it, len(of_object), p, float(np.quantile(shares[shares > 0.5], LEAST_QUANTILE)))

    def allowed(self, gray: np.ndarray) -> np.ndarray:
        """bool (H, W) of the category's material; nothing of a photograph that does not show two."""
        bright = bright_material(gray)
        if bright is None:
            return np.zeros(gray.shape, bool)
        return bright if self.bright else ~bright

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "bright": self.bright,
            "on_it": self.on_it,
            "objects": self.objects,
            "p": float(f"{self.p:.3g}"),
            "least_share": round(self.least_share, 4),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What was learned, in one line."""
        which = "brighter" if self.bright else "darker"
        return f"on the {which} of two materials ({self.on_it} of {self.objects} objects, p = {self.p:.2g})"


def _at_least(number: int, chances: Sequence[float]) -> float:
    """Probability that at least ``number`` of independent events happen."""
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(counts[number:].sum())
