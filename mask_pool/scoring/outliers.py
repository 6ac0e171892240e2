"""Raters whose grades do not go with those of the others: constant, inverted, careless, harsh or lenient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNINFORMATIVE = ("constant", "inverted", "careless")
"""Flags of raters whose order of the masks tells nothing; a harsh or lenient rater still ranks them."""
MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation times this estimates the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class OutlierRule:
    """When a rater is flagged. All grades are on 0..10.

    ``least_correlation``: a rater whose correlation with the mean of the others is below it, and also ``spread``
    robust deviations (at least 0.05 each) below the panel's median correlation, is careless; below its negative,
    inverted. The second condition keeps a panel that disagrees as a whole from being thrown out one by one.
    ``least_bias``: a mean distance from the others beyond it, and ``spread`` robust deviations (at least 0.25 each)
    from the median distance, is harsh or lenient.
    ``least_items``: fewer masks shared with others say nothing.
    """

    least_correlation: float = 0.3
    spread: float = 3.0
    least_bias: float = 1.5
    least_items: int = 5


@dataclass(frozen=True)
class RaterReport:
    """One rater beside the others who are not flagged as uninformative.

    ``graded`` masks, ``mean`` and ``deviation`` of the grades, Pearson ``correlation`` with the mean of the others,
    ``bias`` = mean distance from it. None where it cannot be told; ``reason`` says why, or why there is a flag.
    """

    name: str
    graded: int
    mean: float | None
    deviation: float | None
    correlation: float | None
    bias: float | None
    flag: str | None
    reason: str | None


def evaluate_raters(values: np.ndarray, names: Sequence[str], rule: OutlierRule) -> tuple[RaterReport, ...]:
    """Compare each rater's values (N masks, R raters; NaN where missing) with the mean of the other raters.

    The worst uninformative rater is taken out and the rest compared again, until none is left, so that one bad rater
    does not spoil the mean that the others are held against. Of two raters nobody can say which one is wrong, so only
    a constant one is flagged.
    """
    panel = [rater for rater in range(len(names)) if not np.isnan(values[:, rater]).all()]
    flagged: dict[int, str] = {}
    while True:
        compared = {rater: _compare(values, rater, panel, rule) for rater in panel}
        worst = _worst(compared, rule)
        if worst is None:
            break
        flagged[worst[0]] = worst[1]
        panel.remove(worst[0])
    biased = _biased(compared, rule)
    reports = []
    for rater, name in enumerate(names):
        found = _compare(values, rater, panel, rule)
        flag = flagged.get(rater) or biased.get(rater)
        reports.append(
            RaterReport(
                name,
                found.graded,
                found.mean,
                found.deviation,
                found.correlation,
                found.bias,
                flag,
                _explain(flag, found, rule),
            )
        )
    return tuple(reports)


@dataclass(frozen=True)
class _Compared:
    graded: int
    mean: float | None
    deviation: float | None
    shared: int
    correlation: float | None
    bias: float | None
    others_vary: bool


def _compare(values: np.ndarray, rater: int, panel: Sequence[int], rule: OutlierRule) -> _Compared:
    own = values[:, rater]
    own_given = own[~np.isnan(own)]
    rest = values[:, [other for other in panel if other != rater]]
    both = ~np.isnan(own) & (~np.isnan(rest)).any(axis=1)
    mine, others = own[both], np.array([row[~np.isnan(row)].mean() for row in rest[both]])
    mean, deviation = (float(own_given.mean()), float(own_given.std())) if own_given.size else (None, None)
    if mine.size < rule.least_items:
        return _Compared(own_given.size, mean, deviation, mine.size, None, None, False)
    varies = bool(others.std() > 1e-9)
    correlation = float(np.corrcoef(mine, others)[0, 1]) if varies and mine.std() > 1e-9 else None
    return _Compared(own_given.size, mean, deviation, mine.size, correlation, float((mine - others).mean()), varies)


def _worst(compared: dict[int, _Compared], rule: OutlierRule) -> tuple[int, str] | None:
    for rater, found in compared.items():
        if found.others_vary and found.deviation is not None and found.deviation <= 1e-9:
            return rater, "constant"
    known = {rater: found.correlation for rater, found in compared.items() if found.correlation is not None}
    if len(known) < 3:
        return None
    middle, deviation = _robust(list(known.values()), 0.05)
    rater, lowest = min(known.items(), key=lambda pair: (pair[1], pair[0]))
    if lowest >= rule.least_correlation or lowest >= middle - rule.spread * deviation:
        return None
    return rater, "inverted" if lowest < -rule.least_correlation else "careless"


def _biased(compared: dict[int, _Compared], rule: OutlierRule) -> dict[int, str]:
    known = {rater: found.bias for rater, found in compared.items() if found.bias is not None}
    if len(known) < 3:
        return {}
    middle, deviation = _robust(list(known.values()), 0.25)
    return {
        rater: "lenient" if bias > 0 else "harsh"
        for rater, bias in known.items()
        if abs(bias) > rule.least_bias and abs(bias - middle) > rule.spread * deviation
    }


def _robust(values: Sequence[float], least: float) -> tuple[float, float]:
    """Median and robust deviation (at least ``least``: identical raters would make any difference enormous)."""
    middle = float(np.median(values))
    return middle, max(least, MAD_TO_DEVIATION * float(np.median(np.abs(np.array(values) - middle))))


def _explain(flag: str | None, found: _Compared, rule: OutlierRule) -> str | None:
    if flag == "constant":
        return f"gave {found.mean:g} to all {found.graded} masks, while the others differ"
    if flag in UNINFORMATIVE:
        return (
            f"correlation {found.correlation:.2f} with the mean of the others, least {rule.least_correlation:g}"
            if found.correlation is not None
            else "does not go with the others"
        )
    if flag is not None and found.bias is not None:
        return f"{abs(found.bias):.1f} {'above' if found.bias > 0 else 'below'} the mean of the others"
    if found.graded == 0:
        return "gave no grade"
    if found.shared < rule.least_items:
        return f"shares {found.shared} masks with others, needs {rule.least_items}"
    if found.correlation is None:
        return "all grades are equal" if (found.deviation or 0.0) <= 1e-9 else "the others' grades are all equal"
    return None
