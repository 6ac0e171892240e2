"""Fréchet distance between the Gaussians of two feature sets (Heusel et al. 2017, eq. 6)."""

from __future__ import annotations

import numpy as np

from ..core.errors import InputError


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of features (N, D); at least 0.

    With C = X'X for centred X / sqrt(N - 1), tr (C_a C_b)^(1/2) is the sum of the singular values of X_a X_b':
    real and never negative, where the usual matrix root of a singular product turns complex, and of size N x N
    for the small sets of this trade. Biased upwards by the small N: compare only figures of equal N.

    Raises:
        InputError: I1 (a set of fewer than 2), I2 (not finite, or of unlike width).
    """
    checked_features(features_a, features_b)
    mean_a, root_a = _mean_and_root(features_a)
    mean_b, root_b = _mean_and_root(features_b)
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + np.sum(root_a**2) + np.sum(root_b**2) - 2.0 * cross))


def checked_features(features_a: np.ndarray, features_b: np.ndarray) -> None:
    """Refuse what no distance can be computed from.

    Raises:
        InputError: I1, I2.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1:] != features_b.shape[1:]:
        raise InputError(
            "features",
            "I2",
            f"shapes {features_a.shape} and {features_b.shape} do not fit",
            "use the same backbone on both sides",
        )
    if min(len(features_a), len(features_b)) < 2:
        raise InputError("features", "I1", f"sets of {len(features_a)} and {len(features_b)}", "give at least 2 each")
    if not (np.isfinite(features_a).all() and np.isfinite(features_b).all()):
        raise InputError("features", "I2", "a feature is not finite", "look for a damaged image or weight file")


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and a matrix R, at most D x D or N x D, with R'R the unbiased covariance."""
    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    centred = (wide - mean) / np.sqrt(len(wide) - 1)
    if len(centred) > centred.shape[1]:
        centred = np.asarray(np.linalg.qr(centred, mode="r"))
    return mean, centred
