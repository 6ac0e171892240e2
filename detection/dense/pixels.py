"""Average precision of pixels: how well a map ranks the pixels of a category's defects above all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 1024


@dataclass
class PixelCounts:
    """Per category, how many true and other pixels lie in each of ``BINS`` steps of the map's value, over all
    photographs: the pooled precision curve to within a step, in bounded memory.
    """

    true: np.ndarray
    other: np.ndarray

    @classmethod
    def of(cls, categories: int) -> PixelCounts:
        return cls(np.zeros((categories, BINS), np.int64), np.zeros((categories, BINS), np.int64))

    def add(self, maps_KHW: np.ndarray, truth_KHW: np.ndarray | None) -> None:
        """Count a photograph: maps in [0, 1], truth 0 or 1 (None: no defect)."""
        steps = np.minimum((maps_KHW * BINS).astype(np.int64), BINS - 1)
        for number, step in enumerate(steps):
            if truth_KHW is None or not truth_KHW[number].any():
                self.other[number] += np.bincount(step.reshape(-1), minlength=BINS)
                continue
            mask = truth_KHW[number].astype(bool)
            self.true[number] += np.bincount(step[mask], minlength=BINS)
            self.other[number] += np.bincount(step[~mask], minlength=BINS)

    def average_precision(self) -> list[float | None]:
        """Of each category: the sum of precision times the gain in recall, from the highest step down; None where no
        pixel shows it.
        """
        return [_average_precision(true[::-1], other[::-1]) for true, other in zip(self.true, self.other, strict=True)]


def _average_precision(true: np.ndarray, other: np.ndarray) -> float | None:
    if not true.sum():
        return None
    hits, seen = np.cumsum(true), np.cumsum(true + other)
    return float((hits / np.maximum(seen, 1) * true).sum() / hits[-1])
