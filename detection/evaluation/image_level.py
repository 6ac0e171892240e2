"""What an inspector feels: does the detector raise an alarm on a photograph with a defect, and not on one without?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.statistics.ranks import auroc

from .figures import ImageFigures

FALSE_ALARM_RATES = ("0.05", "0.1", "0.2")
"""Shares of the normal photographs that may raise an alarm; the keys of ``image_recall``."""


def image_scores(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], scores: Mapping[int, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The score of each defective photograph (D,) and of each normal one (N,), in [0, 1].

    ``scores`` by image id are the detector's own, where it scores whole photographs. Without them it is the highest
    score of the detections, 0 where nothing is found. Normal is a photograph without any annotation.
    """
    highest = {image.id: 0.0 if scores is None else scores[image.id] for image in dataset.images}
    for row in rows if scores is None else ():
        highest[row["image_id"]] = max(highest[row["image_id"]], row["score"])
    normal = {image.id for image in dataset.normals()}
    return (
        np.array([score for key, score in highest.items() if key not in normal], np.float64),
        np.array([score for key, score in highest.items() if key in normal], np.float64),
    )


def alarm_threshold(normal: np.ndarray, rate: float) -> float | None:
    """The lowest score of ``normal`` (N,) above which at most the share ``rate`` of them lies.

    With k = floor(rate * N) it is the (k + 1)-th highest; a photograph raises an alarm where its score is *greater*.
    Ties at the threshold so raise none, and the share of false alarms is never above ``rate``, often below: with
    fewer than 1 / rate normal photographs it is the highest of them. ``-inf`` for a rate of 1, None without any.
    """
    if not len(normal):
        return None
    allowed = int(np.floor(rate * len(normal) + 1e-9))
    return float(np.sort(normal)[::-1][allowed]) if allowed < len(normal) else float("-inf")


def recall_at_false_alarms(defective: np.ndarray, normal: np.ndarray, rate: float) -> float | None:
    """Share of ``defective`` (D,) that score above :func:`alarm_threshold`; None where one kind is absent.

    The threshold is set on the normal photographs that are judged, for every arm alike: this is a point of the ROC
    curve, not the promise of an alarm limit fixed in advance.
    """
    threshold = alarm_threshold(normal, rate)
    return float((defective > threshold).mean()) if threshold is not None and len(defective) else None


def image_auroc(defective: np.ndarray, normal: np.ndarray) -> float | None:
    """Probability that a defective photograph scores above a normal one; None where there are none of a kind."""
    return auroc(normal, defective) if len(defective) and len(normal) else None


def image_figures(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], scores: Mapping[int, float] | None = None
) -> ImageFigures:
    """``image_recall`` (by rate), ``image_auroc``, and how many photographs of either kind stand behind them."""
    defective, normal = image_scores(dataset, rows, scores)
    return ImageFigures(
        {rate: recall_at_false_alarms(defective, normal, float(rate)) for rate in FALSE_ALARM_RATES},
        image_auroc(defective, normal),
        len(defective),
        len(normal),
    )
