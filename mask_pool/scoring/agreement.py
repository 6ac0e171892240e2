"""How far raters agree: Krippendorff's alpha with an interval, Kendall's W with ties.

Where a figure is undefined it is None and says why; it is never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Metric = Literal["interval", "ordinal"]
LEAST_ITEMS = 5
"""Fewest masks from which an interval is drawn: resampling fewer says nothing."""


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha (1 full agreement, 0 chance, below 0 systematic disagreement) of masks that two rated.

    ``low`` and ``high`` bound it; they are None where there are too few masks. ``reason`` says why ``value`` is None.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int
    raters: int
    reason: str | None = None


@dataclass(frozen=True)
class Concordance:
    """Kendall's W (0 none, 1 full) over ``items`` masks, with the chi-squared test against chance.

    The test is approximate and too timid for seven masks or fewer.
    """

    w: float | None
    chi2: float | None
    p: float | None
    items: int
    raters: int
    reason: str | None = None


@dataclass(frozen=True)
class _Pooled:
    """All values (K,) of the pairable units, the unit (K,) of each, its rank among the distinct values, unit sizes."""

    values: np.ndarray
    unit: np.ndarray
    level: np.ndarray
    sizes: np.ndarray


def krippendorff_alpha(
    values: np.ndarray,
    metric: Metric = "interval",
    *,
    rng: np.random.Generator | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Alpha:
    """Alpha of values (N masks, R raters), NaN where missing; with ``rng`` a percentile bootstrap over masks.

    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): alpha = 1 - D_o / D_e over the values that can
    be paired, D_o the mean squared difference within masks (each mask's pairs weighted by 1/(m_u - 1)), D_e that over
    all values. ``interval`` squares v - v'. ``ordinal`` squares sum_{g=v..v'} n_g - (n_v + n_v')/2, which is the
    difference of the values' mid-ranks: one computation serves both.

    Resamples without any variation have no alpha and are left out; if they are more than half, so is the interval.
    """
    pooled = _pool(values)
    items, raters = pooled.sizes.size, int((~np.isnan(values)).any(axis=0).sum())
    if raters < 2:
        return Alpha(None, None, None, items, raters, "fewer than two raters")
    if items < 2:
        return Alpha(None, None, None, items, raters, "fewer than two masks that two raters graded")
    alpha = _alpha(pooled, np.ones(items), metric)
    if alpha is None:
        return Alpha(None, None, None, items, raters, "all grades are equal: nothing tells agreement from indifference")
    low, high = (None, None)
    if rng is not None and items >= LEAST_ITEMS:
        low, high = _interval(pooled, metric, rng, resamples, confidence)
    return Alpha(alpha, low, high, items, raters)


def _pool(values: np.ndarray) -> _Pooled:
    there = ~np.isnan(values)
    used = there.sum(axis=1) >= 2
    kept, there = values[used], there[used]
    flat = np.round(kept[there], 9)
    _, level = np.unique(flat, return_inverse=True)
    return _Pooled(flat, np.repeat(np.arange(len(kept)), there.sum(axis=1)), level.reshape(-1), there.sum(axis=1))


def _alpha(pooled: _Pooled, counts: np.ndarray, metric: Metric) -> float | None:
    """Alpha where unit u occurs ``counts[u]`` times; None where all values are equal.

    Sums of squared differences over pairs are sums of squares about the mean: sum_ij (x_i - x_j)² = 2 m sum (x - x̄)².
    """
    weights = counts[pooled.unit]
    total = weights.sum()
    x = pooled.values
    if metric == "ordinal":
        at_level = np.bincount(pooled.level, weights)
        x = (np.cumsum(at_level) - at_level / 2)[pooled.level]
    x = x - (weights @ x) / total
    squares = np.bincount(pooled.unit, x * x)
    within = squares - np.bincount(pooled.unit, x) ** 2 / pooled.sizes
    expected = counts @ squares / (total - 1)
    if expected <= 1e-12:
        return None
    return float(1 - counts @ (within * pooled.sizes / (pooled.sizes - 1)) / total / expected)


def _interval(
    pooled: _Pooled, metric: Metric, rng: np.random.Generator, resamples: int, confidence: float
) -> tuple[float | None, float | None]:
    items = pooled.sizes.size
    drawn = (
        _alpha(pooled, np.bincount(rng.integers(0, items, items), minlength=items).astype(np.float64), metric)
        for _ in range(resamples)
    )
    found = [alpha for alpha in drawn if alpha is not None]
    if not found or len(found) < resamples / 2:
        return None, None
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return low, high


def kendall_w(values: np.ndarray) -> Concordance:
    """Kendall's W of values (N masks, R raters), over the masks that every rater with any value graded.

    Kendall & Babington Smith (1939) with the correction for ties (Siegel & Castellan 1988, 9.3): with rank sums R_i,
    S = sum (R_i - mean R)², T_r = sum of t³ - t over the groups of ties of rater r,
    W = 12 S / (m² (n³ - n) - m sum_r T_r), and chi² = m (n - 1) W has n - 1 degrees of freedom.
    """
    present = values[:, (~np.isnan(values)).any(axis=0)]
    complete = np.round(present[~np.isnan(present).any(axis=1)], 9)
    items, raters = complete.shape
    if raters < 2:
        return Concordance(None, None, None, items, raters, "fewer than two raters")
    if items < 2:
        return Concordance(None, None, None, items, raters, "fewer than two masks that all raters graded")
    ranks = stats.rankdata(complete, axis=0)
    sums = ranks.sum(axis=1)
    ties = sum(
        int((np.unique(column, return_counts=True)[1].astype(object) ** 3).sum()) - items for column in complete.T
    )
    most = raters**2 * (items**3 - items) - raters * ties
    if most <= 0:
        return Concordance(None, None, None, items, raters, "every rater gave all masks the same grade")
    w = min(1.0, 12 * float(((sums - sums.mean()) ** 2).sum()) / most)
    chi2 = raters * (items - 1) * w
    return Concordance(w, chi2, float(stats.chi2.sf(chi2, items - 1)), items, raters)
