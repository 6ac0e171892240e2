"""Intervals for a handful of seeds and a handful of test objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are None where one value is all there is."""

    mean: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def auroc(normal: np.ndarray, abnormal: np.ndarray) -> float:
    """The share of (normal, abnormal) pairs in the right order, ties half (Mann and Whitney 1947)."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, abnormal, "left") + np.searchsorted(ordered, abnormal, "right")
    return float(below.mean() / (2 * len(normal)))


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t-interval of the mean: mean ± t(n - 1) s / sqrt(n), s with n - 1 in the denominator.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values to average")
    array = np.asarray(values, np.float64)
    mean, count = float(array.mean()), len(array)
    if count < 2:
        return Interval(mean, None, None)
    half = float(stats.t.ppf(0.5 + level / 2, count - 1) * array.std(ddof=1) / np.sqrt(count))
    return Interval(mean, mean - half, mean + half)


def percentile_interval(mean: float, resampled: Sequence[float], level: float = 0.95) -> Interval:
    """The central ``level`` of the resampled values around an observed mean."""
    if len(resampled) < 2:
        return Interval(mean, None, None)
    low, high = np.quantile(np.asarray(resampled, np.float64), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high))


def verdict(difference: Interval) -> str:
    """``better``, ``worse``, or ``no difference shown`` where the interval holds zero (or there is none)."""
    if not difference.excludes_zero():
        return "no difference shown"
    return "better" if difference.mean > 0 else "worse"


@dataclass(frozen=True)
class Matches:
    """All detections of one category against the truth at IoU 0.5, best score first.

    ``hit`` says which are true positives, ``unit`` which test object each was found on; ``positives`` counts true
    instances per test object (U,).
    """

    hit: np.ndarray
    unit: np.ndarray
    positives: np.ndarray


def weighted_ap50(matches: Matches, weights: np.ndarray) -> float | None:
    """AP at IoU 0.5 in COCO's 101-point form, where test object u counts ``weights[u]`` times (U,).

    None where no true instance has weight. With weights of one it is pycocotools' figure.
    """
    positives = float((matches.positives * weights).sum())
    if positives == 0:
        return None
    weight = weights[matches.unit].astype(np.float64)
    hits = np.cumsum(weight * matches.hit)
    total = np.cumsum(weight)
    kept = total > 0
    precision, recall = hits[kept] / total[kept], hits[kept] / positives
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())  # a recall never reached counts as precision 0


def resampling_weights(units: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, units): how often each test object is drawn in each bootstrap resample of as many objects."""
    return rng.multinomial(units, np.full(units, 1 / units), size=count)


def resampled_map50(categories: Sequence[Matches], weights: np.ndarray) -> np.ndarray:
    """mAP at IoU 0.5 of each resample (count,); NaN where a resample holds no true instance at all."""
    rows = []
    for row in weights:
        known = [ap for ap in (weighted_ap50(matches, row) for matches in categories) if ap is not None]
        rows.append(float(np.mean(known)) if known else np.nan)
    return np.asarray(rows)
