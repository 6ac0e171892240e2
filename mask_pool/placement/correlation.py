"""Normalised correlation under a round outline, so that what surrounds an object does not count."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

FLATTEST = 1.5
"""Grey levels of standard deviation below which a place shows no object: its correlation is noise."""


class Outline:
    """An ellipse of (height, width) pixels; all correlations are taken under it alone."""

    def __init__(self, height: int, width: int) -> None:
        y, x = (np.arange(height) - (height - 1) / 2) / (height / 2), (np.arange(width) - (width - 1) / 2) / (width / 2)
        self.inside = (y[:, None] ** 2 + x[None, :] ** 2 <= 1).astype(np.float32)
        self.pixels = float(self.inside.sum())

    def standardise(self, patch_HW: np.ndarray) -> np.ndarray | None:
        """The patch with mean 0 and variance 1 under the outline, 0 outside; None where it is flat."""
        centred = (patch_HW - float((patch_HW * self.inside).sum()) / self.pixels) * self.inside
        deviation = float(np.sqrt((centred**2).sum() / self.pixels))
        return (centred / deviation).astype(np.float32) if deviation >= FLATTEST else None


class Correlator:
    """Correlates standardised templates of one outline with one photograph.

    Args:
        target_HW: float32 gray photograph, 0..255.
    """

    def __init__(self, target_HW: np.ndarray, outline: Outline) -> None:
        self.outline = outline
        self._target = target_HW - target_HW.mean()  # small numbers: the variance below is a difference of squares
        mean = self._sum(outline.inside, self._target) / outline.pixels
        variance = self._sum(outline.inside, self._target**2) / outline.pixels - mean**2
        self._flat = variance < FLATTEST**2
        self._deviation = np.sqrt(np.maximum(variance, FLATTEST**2))

    def best_of(self, templates: Sequence[np.ndarray]) -> np.ndarray:
        """Largest correlation (H - h + 1, W - w + 1) in [-1, 1] over the templates at every place of the corner."""
        sums = [self._sum(template, self._target) for template in templates]
        score = np.maximum.reduce(sums) / (self.outline.pixels * self._deviation)
        score[self._flat] = 0.0
        return np.clip(score, -1.0, 1.0)

    @staticmethod
    def _sum(kernel: np.ndarray, target: np.ndarray) -> np.ndarray:
        return cv2.matchTemplate(target, kernel, cv2.TM_CCORR)


def mean_of_best(scores: Sequence[np.ndarray], number: int) -> np.ndarray:
    """At every place the mean of the ``number`` largest scores (of all, where there are fewer)."""
    number = min(number, len(scores))
    stacked = np.stack(scores)
    return np.partition(stacked, len(scores) - number, axis=0)[len(scores) - number :].mean(axis=0)


def peaks(score: np.ndarray, least: float, around_hw: tuple[int, int]) -> list[tuple[float, int, int]]:
    """(score, x, y) of the places with at least ``least`` that are the largest within ``around_hw``."""
    kernel = np.ones((max(3, around_hw[0]), max(3, around_hw[1])), np.uint8)
    rows, columns = np.nonzero((score >= least) & (score == cv2.dilate(score, kernel)))
    return [(float(score[y, x]), int(x), int(y)) for y, x in zip(rows, columns, strict=True)]
