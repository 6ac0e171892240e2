"""Intervals of 95 % (or another ``level``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95


def central(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The central ``level`` of resampled values.

    Raises:
        ValueError: no values.
    """
    low, high = np.quantile(np.asarray(values, np.float64), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def share(hits: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share of ``count`` independent tries; (0, 1) where there is none."""
    if count == 0:
        return 0.0, 1.0
    outside = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(outside, hits, count - hits + 1))
    high = 1.0 if hits == count else float(stats.beta.ppf(1 - outside, hits + 1, count - hits))
    return low, high


def over_objects(
    statistic: Callable[[Mapping[str, np.ndarray]], float],
    groups: Mapping[str, Sequence[str]],
    resamples: int,
    rng: np.random.Generator,
    least: int = 3,
) -> tuple[float, float] | None:
    """Interval of a figure under resampling of whole objects, each side by itself.

    Args:
        statistic: takes the row indices drawn on each side.
        groups: for each side, the object of every row.
        resamples: how many.
        rng: chance.
        least: with fewer objects than this on a side there is no interval.

    Returns:
        Low and high, or None where a side has too few objects or the figure is never defined.
    """
    members = {
        side: [np.flatnonzero(np.asarray(rows, dtype=str) == name) for name in sorted(set(rows))]
        for side, rows in groups.items()
    }
    if any(len(objects) < least for objects in members.values()):
        return None
    values = []
    for _ in range(resamples):
        drawn = {
            side: np.concatenate([objects[index] for index in rng.integers(len(objects), size=len(objects))])
            for side, objects in members.items()
        }
        values.append(statistic(drawn))
    known = [value for value in values if not np.isnan(value)]
    return central(known) if known else None
