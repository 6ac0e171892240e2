"""From which score on an instance counts: for each category, chosen on objects that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.dataset import Dataset

from .evaluate import DetectionRow, matched_at_50
from .image_level import alarm_threshold

FEWEST = 5
"""Labelled instances below which they choose nothing."""
FEWEST_SOUND = 20
"""Sound photographs below which those choose nothing."""


@dataclass(frozen=True)
class Least:
    """``score``: from which on an instance of a category counts. ``chosen_on``: how many held-out labelled instances,
    or else ``sound`` photographs, it was chosen on; both 0: it is the configuration's."""

    score: float
    chosen_on: int = 0
    sound: int = 0


def least_scores(
    held: Dataset, rows: Sequence[DetectionRow], segments: bool, default: float, false_alarm: float
) -> dict[int, Least]:
    """Per category id the least score of an instance.

    The score that gives the highest F1 of instances (matched at IoU 0.5) on ``held``; it lies halfway between the last
    detection that counts and the first that does not. With few labelled instances, or where no detection meets one, the
    score that at most ``false_alarm`` of the sound photographs exceed with an instance of any category, an equal share
    of it by each; a net that learnt from few objects is seldom sure, and of sound parts even less. With few sound
    photographs, too, the ``default``.

    Args:
        held: data set of objects that were not learnt from.
        rows: what was found on it.
        segments: whether detections carry masks.
        default: least score where nothing can be chosen.
        false_alarm: share of sound photographs that may show an instance, in (0, 1).

    Returns:
        One for each category.
    """
    matched, _ = matched_at_50(held, list(rows), segments)
    hits = set(matched.values())
    sound = [image.id for image in held.normals()]
    result = {}
    for category in held.categories:
        labelled = sum(item.category_id == category.id and not item.iscrowd for item in held.annotations)
        own = sorted(
            ((row["score"], place in hits) for place, row in enumerate(rows) if row["category_id"] == category.id),
            reverse=True,
        )
        if labelled < FEWEST or not any(hit for _, hit in own):
            result[category.id] = _above_sound(sound, rows, category.id, false_alarm / len(held.categories), default)
            continue
        score = _best(np.array([s for s, _ in own]), np.array([h for _, h in own]), labelled)
        result[category.id] = Least(score, chosen_on=labelled)
    return result


def _above_sound(
    sound: Sequence[int], rows: Sequence[DetectionRow], category: int, rate: float, default: float
) -> Least:
    """Just above the score that at most ``rate`` of the sound photographs exceed."""
    if len(sound) < FEWEST_SOUND:
        return Least(default)
    highest = dict.fromkeys(sound, 0.0)
    for row in rows:
        if row["category_id"] == category and row["image_id"] in highest:
            highest[row["image_id"]] = max(highest[row["image_id"]], row["score"])
    limit = alarm_threshold(np.array(list(highest.values())), rate)
    return Least(round((limit or 0.0) + 1e-6, 6), sound=len(sound))


def _best(scores: np.ndarray, hits: np.ndarray, labelled: int) -> float:
    """``scores`` descending. Detections of one score stand or fall together."""
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(hits) + 1) + labelled)
    last = np.append(scores[1:] < scores[:-1], True)
    place = int(np.flatnonzero(last)[np.argmax(f1[last])])
    below = scores[place + 1] if place + 1 < len(scores) else 0.0
    return round(float(scores[place] + below) / 2, 6)
