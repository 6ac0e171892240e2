"""Do normals look to the detector as they did at calibration? What new scores can tell, and what they cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .calibration import Threshold, effective_size

SURE = 0.01
"""A remark is made where chance alone would give as much in fewer than 1 of 100 batches of photographs."""
MOST_ABNORMAL = 0.5
"""Without labels nothing is known of normals where more than this share could be abnormal."""
LEAST = 8


@dataclass(frozen=True)
class Drift:
    """``drifted``: normals score differently now (True), no sign of it (False), or that cannot be told (None)."""

    drifted: bool | None
    sentences: tuple[str, ...]
    figures: dict[str, object]


def compare(
    held_out: np.ndarray,
    held_out_groups: tuple[str, ...] | None,
    threshold: Threshold,
    scores: np.ndarray,
    known_good: bool,
) -> Drift:
    """Compare new scores (m,) with those of the held-out normals (n,).

    ``known_good``: somebody has looked at all the new photographs and they are normal. Then two-sided Mann-Whitney
    and Kolmogorov-Smirnov tests answer. Otherwise defects and drift look alike from above, and only what no mixture
    with at most half defects can do counts as drift. New photographs are taken as independent of each other; held-out
    ones count for as many as their objects are worth.
    """
    if len(scores) < LEAST or len(held_out) < LEAST:
        return Drift(
            None,
            (_too_few(len(scores), len(held_out)),),
            {"photographs": len(scores)},
        )
    alarms = int((scores > threshold.value).sum())
    independent = effective_size(held_out, held_out_groups)
    return (_good if known_good else _unknown)(held_out, independent, threshold, scores, alarms)


def _too_few(new: int, held_out: int) -> str:
    if new < LEAST:
        return f"drift: {new} photographs are too few to compare with calibration (at least {LEAST})"
    return f"drift: the model was calibrated on {held_out} normals, too few to compare with (at least {LEAST})"


def _good(held_out: np.ndarray, independent: int, threshold: Threshold, scores: np.ndarray, alarms: int) -> Drift:
    from scipy.stats import beta, ks_2samp, norm

    count = len(scores)
    greater = _above(held_out, scores)
    # normal approximation of Mann-Whitney's U, the held-out side counted at what it is worth
    p_middle = float(2 * norm.sf(abs(greater - 0.5) / np.sqrt((independent + count + 1) / (12 * independent * count))))
    distance = float(ks_2samp(scores, held_out).statistic)
    p_shape = _kolmogorov(distance, independent * count / (independent + count))
    p_alarms = _alarm_tails(threshold, independent, count, alarms)
    low = float(beta.ppf(0.025, alarms, count - alarms + 1)) if alarms else 0.0
    high = float(beta.ppf(0.975, alarms + 1, count - alarms)) if alarms < count else 1.0
    drifted = min(p_middle, p_shape) < SURE / 2 or p_alarms < SURE
    rate = (
        f"of {count} photographs known to be good {alarms} are called abnormal: {alarms / count:.1%} (95 % "
        f"interval {low:.1%} to {high:.1%}; asked {threshold.asked:.1%})"
    )
    if drifted:
        way = "higher" if greater > 0.5 else "lower"
        verdict = (
            f"drift: normals score {way} now than at calibration (middle score {np.median(scores):.4g}, "
            f"was {np.median(held_out):.4g}): the threshold promises nothing now and must be calibrated again "
            "(`one-class recalibrate`)"
        )
    else:
        verdict = "drift: no sign that normals score differently than at calibration"
    return Drift(
        drifted,
        (rate, verdict),
        {
            "known_good": True,
            "photographs": count,
            "alarms": alarms,
            "rate_interval": [low, high],
            "mann_whitney_p": p_middle,
            "kolmogorov_smirnov_p": p_shape,
            "alarms_p": p_alarms,
        },
    )


def _unknown(held_out: np.ndarray, independent: int, threshold: Threshold, scores: np.ndarray, alarms: int) -> Drift:
    count = len(scores)
    said, drifted = [], False
    p_many = _tail(threshold.expected, independent, count, alarms, above=True)
    if p_many < SURE:
        said.append(
            f"{alarms} of {count} photographs are called abnormal, more than normals alone would give "
            f"({threshold.expected:.1%} expected): either there are defects, or the photographs have changed; "
            "scores alone cannot tell which"
        )
    # abnormal photographs score high: they cannot push a share below a low score up, and, being at most half of all,
    # they cannot bring it down to less than half
    below = float((scores <= np.median(held_out)).mean())
    p_lower = _tail(0.5, independent, count, round(below * count), above=True)
    quarter = float(np.quantile(held_out, 0.25))
    few = int((scores <= quarter).sum())
    least = max(1, int(count * (1 - MOST_ABNORMAL)))
    p_higher = _tail(0.25, independent, least, few, above=False)
    if p_lower < SURE:
        drifted = True
        said.append(
            f"drift: {below:.0%} of the photographs score below the middle of the calibration normals, which "
            "defects cannot cause: normals score lower now, and some defects may stay below the threshold; "
            "calibrate again"
        )
    elif p_higher < SURE:
        drifted = True
        said.append(
            f"drift: only {few} of {count} photographs score as low as the lowest quarter of the calibration "
            "normals: unless more than half of them are abnormal, normals score higher now; score photographs "
            "known to be good with --known-good, and calibrate again"
        )
    else:
        said.append(
            "drift: no sign of it in the lower scores; photographs known to be good (--known-good) would tell more"
        )
    return Drift(
        True if drifted else None,
        tuple(said),
        {
            "known_good": False,
            "photographs": count,
            "alarms": alarms,
            "many_alarms_p": p_many,
            "share_below_middle": below,
            "lower_p": p_lower,
            "higher_p": p_higher,
        },
    )


def _above(held_out: np.ndarray, scores: np.ndarray) -> float:
    """Probability that a new score is above a held-out one, ties half."""
    ordered = np.sort(held_out)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return float((left + right).mean() / 2 / len(ordered))


def _kolmogorov(distance: float, size: float) -> float:
    """Two-sided tail of Kolmogorov's distance with Stephens' correction for small samples."""
    from scipy.stats import kstwobign

    root = np.sqrt(size)
    return float(kstwobign.sf((root + 0.12 + 0.11 / root) * distance))


def _alarm_tails(threshold: Threshold, independent: int, count: int, alarms: int) -> float:
    """Two-sided p-value of this many alarms among ``count`` normals."""
    tails = [_tail(threshold.expected, independent, count, alarms, above) for above in (True, False)]
    return min(1.0, 2 * min(tails))


def _tail(share: float, independent: int, count: int, seen: int, above: bool) -> float:
    """P(at least, or at most, ``seen`` of ``count`` new normals lie beyond a quantile of the held-out normals).

    Exact for exchangeable scores: beta-binomial, as the held-out sample is itself one of chance.
    """
    from scipy.stats import betabinom

    part = min(independent, max(1.0, share * (independent + 1)))
    law = betabinom(count, part, independent + 1 - part)
    return float(law.sf(seen - 1) if above else law.cdf(seen))
