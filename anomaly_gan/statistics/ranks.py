"""Figures of ranks."""

from __future__ import annotations

import numpy as np


def auroc(normal: np.ndarray, abnormal: np.ndarray) -> float:
    """The share of (normal, abnormal) pairs in the right order, ties half (Mann and Whitney 1947)."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, abnormal, "left") + np.searchsorted(ordered, abnormal, "right")
    return float(below.mean() / (2 * len(normal)))
