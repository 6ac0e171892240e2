"""From which score on an instance counts: for each category, chosen on objects that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly_gan.core.dataset import Dataset

from .evaluate import DetectionRow, matched_at_50

FEWEST = 5
"""Labelled instances below which nothing is chosen."""


def least_scores(
    held: Dataset, rows: Sequence[DetectionRow], segments: bool, default: float
) -> dict[int, tuple[float, int]]:
    """Per category id: the least score of an instance, and from how many labelled instances it was chosen (0: the
    ``default``, there were too few).

    The score that gives the highest F1 of instances (matched at IoU 0.5) on ``held``; it lies halfway between the last
    detection that counts and the first that does not. Where no detection meets a label the default stays.
    """
    matched, _ = matched_at_50(held, list(rows), segments)
    hits = set(matched.values())
    result = {}
    for category in held.categories:
        labelled = sum(item.category_id == category.id and not item.iscrowd for item in held.annotations)
        own = sorted(
            ((row["score"], place in hits) for place, row in enumerate(rows) if row["category_id"] == category.id),
            reverse=True,
        )
        if labelled < FEWEST or not any(hit for _, hit in own):
            result[category.id] = (default, 0)
            continue
        result[category.id] = (_best(np.array([s for s, _ in own]), np.array([h for _, h in own]), labelled), labelled)
    return result


def _best(scores: np.ndarray, hits: np.ndarray, labelled: int) -> float:
    """``scores`` descending. Detections of one score stand or fall together."""
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(hits) + 1) + labelled)
    last = np.append(scores[1:] < scores[:-1], True)
    place = int(np.flatnonzero(last)[np.argmax(f1[last])])
    below = scores[place + 1] if place + 1 < len(scores) else 0.0
    return round(float(scores[place] + below) / 2, 6)
