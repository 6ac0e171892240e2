"""Figures of one cell from its scores. Undefined figures are None, never 0 or NaN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.errors import NumericalFailure


@dataclass(frozen=True)
class Figures:
    """``aupr_in``: average precision with the normal images as the positive class, ``aupr_out``: the abnormal."""

    auroc: float | None
    aupr_in: float | None
    aupr_out: float | None


def figures(labels: np.ndarray, scores: np.ndarray) -> Figures:
    """From ``labels`` (N,) 0 normal, 1 abnormal, and ``scores`` (N,), higher is more abnormal.

    Raises:
        NumericalFailure: a score is not finite.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    if not np.isfinite(scores).all():
        raise NumericalFailure(f"one-class: {int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite")
    if labels.min() == labels.max():
        return Figures(None, None, None)
    return Figures(
        float(roc_auc_score(labels, scores)),
        float(average_precision_score(1 - labels, -scores)),
        float(average_precision_score(labels, scores)),
    )


def f1_at(labels: np.ndarray, scores: np.ndarray, threshold: float, positive: int) -> float | None:
    """F1 of "score > threshold is abnormal" with class ``positive`` (0 normal, 1 abnormal) as the positive one."""
    found = scores > threshold if positive else scores <= threshold
    true = labels == positive
    if labels.min() == labels.max():
        return None
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def best_f1(labels: np.ndarray, scores: np.ndarray, positive: int) -> float | None:
    """The best F1 over all thresholds: a statistic of the test set, which no one can know in advance."""
    if labels.min() == labels.max():
        return None
    signed = scores if positive else -scores
    order = np.argsort(-signed, kind="stable")
    true = np.cumsum((labels == positive)[order])
    last = np.append(np.diff(signed[order]) != 0, True)  # equal scores fall on the same side
    f1 = 2 * true / (np.arange(1, len(order) + 1) + true[-1])
    return float(f1[last].max())


def roc_points(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(false alarm rate, hit rate) along all thresholds; both empty where one class is missing."""
    from sklearn.metrics import roc_curve

    if labels.min() == labels.max():
        return np.zeros(0), np.zeros(0)
    false_rate, hit_rate, _ = roc_curve(labels, scores)
    return false_rate, hit_rate
