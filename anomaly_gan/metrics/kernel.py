"""Kernel distance (KID, Bińkowski et al. 2018): unbiased at any N, so it may fall below 0."""

from __future__ import annotations

import numpy as np

from .frechet import checked_features


def kernel_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Unbiased squared MMD of features (N, D), (M, D) under the kernel (x·y / D + 1)^3.

    The whole sets at once; clean-fid's ``kernel_distance`` averages the same figure over random subsets.

    Raises:
        InputError: I1 (a set of fewer than 2), I2 (not finite, or of unlike width).
    """
    checked_features(features_a, features_b)
    a, b = features_a.astype(np.float64), features_b.astype(np.float64)
    return float(_mean_off_diagonal(_kernel(a, a)) + _mean_off_diagonal(_kernel(b, b)) - 2.0 * _kernel(a, b).mean())


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    values: np.ndarray = (a @ b.T / a.shape[1] + 1.0) ** 3
    return values


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
