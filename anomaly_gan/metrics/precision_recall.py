"""Improved precision and recall of two feature sets (Kynkäänniemi et al. 2019, eq. 1 and 2)."""

from __future__ import annotations

import numpy as np

from .frechet import checked_features
from .perceptual import pairwise_distances


def precision_recall(generated: np.ndarray, real: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Precision: share of generated features (N, D) inside the manifold of the real ones (M, D). Recall: share of real
    ones inside that of the generated ones. A manifold is the union of balls, each to its ``neighbours``-th neighbour.

    Raises:
        InputError: I1 (a set of fewer than 2), I2 (not finite, or of unlike width).
    """
    checked_features(generated, real)
    return _inside(generated, real, neighbours), _inside(real, generated, neighbours)


def _inside(points: np.ndarray, manifold: np.ndarray, neighbours: int) -> float:
    own = pairwise_distances(manifold, manifold)
    np.fill_diagonal(own, np.inf)
    nth = min(neighbours, len(manifold) - 1) - 1
    radius = np.partition(own, nth, axis=1)[:, nth]
    return float((pairwise_distances(points, manifold) <= radius[None]).any(axis=1).mean())
