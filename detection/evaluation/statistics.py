"""Intervals for a handful of seeds and a handful of test objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from anomaly_gan.statistics.intervals import central

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are None where one value is all there is."""

    mean: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


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
    return Interval(mean, *central(resampled, level))


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


def resampling_weights(units: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, units): how often each test object is drawn in each bootstrap resample of as many objects."""
    return rng.multinomial(units, np.full(units, 1 / units), size=count)


def resampled_ap50(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """AP at IoU 0.5 in COCO's 101-point form for each row of ``weights`` (draws, objects) -> (draws,); NaN where the
    draw holds no true instance.

    A test object counts as often as its weight says; with weights of one it is pycocotools' figure. Precision has its
    maxima at true positives, so only their places are looked at.
    """
    places = np.flatnonzero(matches.hit)
    units = len(matches.positives)
    one_hot = np.zeros((len(matches.hit), units))
    one_hot[np.arange(len(matches.hit)), matches.unit] = 1.0
    seen = np.cumsum(one_hot, axis=0)[places].T  # (units, hits): detections of a unit down to that hit
    hit = np.cumsum(one_hot * matches.hit[:, None], axis=0)[places].T
    rows = weights.astype(np.float64)
    positives = rows @ matches.positives
    known = positives > 0
    hits, total = rows[known] @ hit, rows[known] @ seen
    precision = hits / np.maximum(total, 1.0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, hits / positives[known, None], side="right")  # recalls down to each hit
    result = np.full(len(weights), np.nan)
    result[known] = (envelope * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(RECALLS)
    return result


def mean_known(rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over the first axis of (N, draws), without NaN; NaN where a draw has nothing else."""
    known = np.isfinite(rows)
    weight = known * (1.0 if weights is None else weights)
    total = weight.sum(axis=0)
    return np.where(
        total > 0, (np.where(known, rows, 0.0) * weight).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan
    )


def resampled_map50(categories: Sequence[Matches], weights: np.ndarray) -> np.ndarray:
    """mAP at IoU 0.5 of each resample (count,); NaN where a resample holds no true instance at all."""
    per_category = [resampled_ap50(matches, weights) for matches in categories]
    return mean_known(np.stack(per_category)) if per_category else np.full(len(weights), np.nan)
