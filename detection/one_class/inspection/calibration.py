"""A threshold from the scores of held-out normals, and what it promises: split-conformal, objects taken whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Threshold:
    """What is scored above ``value`` is called abnormal.

    ``asked``: the false-alarm rate wanted; ``expected``: the one to expect of new normals like those held out, at this
    sample size; ``low``, ``high``: the 95 % interval of the rate in the long run, over draws of the held-out normals.
    ``held_out`` normals of ``groups`` objects were used.
    """

    value: float
    asked: float
    expected: float
    low: float
    high: float
    held_out: int
    groups: int

    @property
    def keeps(self) -> bool:
        """Whether this many objects can promise the rate asked for at all."""
        return self.expected <= self.asked + 1e-9

    def words(self) -> str:
        """One plain sentence."""
        said = (
            f"threshold {self.value:.6g}: of new normals expect {self.expected:.1%} false alarms (asked "
            f"{self.asked:.1%}; 95 % interval {self.low:.1%} to {self.high:.1%}; {self.held_out} held-out normals "
            f"of {self.groups} objects)"
        )
        return said if self.keeps else f"{said}; too few objects to promise less: photograph more"


def needed(false_alarm: float) -> int:
    """The least number of held-out normals that can promise this false-alarm rate."""
    return math.ceil(1 / false_alarm - 1 - 1e-9)


def calibrate(scores: np.ndarray, false_alarm: float, groups: Sequence[str] | None = None) -> Threshold:
    """The threshold for a false-alarm rate from the (n,) scores of held-out normals; ``groups``: their objects.

    With n exchangeable normals the k-th least score, k = ceil((n + 1)(1 - rate)), is exceeded by a new normal with
    probability (n + 1 - k) / (n + 1) at the most, and the rate in the long run follows Beta(n + 1 - k, k) (Vovk,
    "Conditional validity of inductive conformal predictors", 2012). Photographs of one object are not exchangeable
    with those of others: n is then the number of independent photographs that their scores are worth (Kish's design
    effect with the intra-class correlation of the ranks), between the number of objects and that of photographs, and
    the threshold is the same quantile of all photographs. Where the objects are too few to promise the rate, the
    quantile is the one that they can promise, and ``expected`` says which.

    Raises:
        ConfigError: ``false_alarm`` is no share.
        InputError: K5, fewer photographs than the rate needs (never a threshold that flags everything); scores that
            are not finite.
    """
    if not 0 < false_alarm < 1:
        raise ConfigError(f"--false-alarm {false_alarm}: must lie between 0 and 1, for example 0.05")
    values = np.asarray(scores, np.float64).ravel()
    count = len(values)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise InputError(
            "one-class",
            "K5",
            f"{bad} of {count} scores of held-out normals are not finite",
            "train again with a lower learning rate",
        )
    if count < needed(false_alarm):
        raise InputError(
            "one-class",
            "K5",
            f"{count} held-out normals cannot promise a false-alarm rate of "
            f"{false_alarm:g}, {needed(false_alarm)} are needed",
            "give more normals, hold out a larger share, or ask for a higher rate",
        )
    independent = effective_size(values, groups)
    rank = min(independent, math.ceil((independent + 1) * (1 - false_alarm) - 1e-9))
    above = independent + 1 - rank
    place = min(count, math.ceil(rank / (independent + 1) * (count + 1) - 1e-9)) - 1
    low, high = _beta_interval(above, rank)
    return Threshold(
        float(np.sort(values)[place]),
        false_alarm,
        above / (independent + 1),
        low,
        high,
        count,
        len(set(groups)) if groups is not None else count,
    )


def effective_size(scores: np.ndarray, groups: Sequence[str] | None) -> int:
    """The number of independent photographs that (n,) scores of these objects are worth, 1 .. n.

    n / (1 + (m - 1) r) with m = sum of squares of the objects' sizes / n, r the intra-class correlation of the ranks
    (one-way analysis of variance, not below 0; 1 where a single object tells nothing about others).
    """
    count = len(scores)
    if groups is None:
        return count
    if len(groups) != count:
        raise ValueError(f"{count} scores, {len(groups)} groups")
    _, member, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    if len(sizes) == count:
        return count
    if len(sizes) == 1:
        return 1
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    means = np.bincount(member, ranks) / sizes
    between = float((sizes * (means - ranks.mean()) ** 2).sum()) / (len(sizes) - 1)
    within = float(((ranks - means[member]) ** 2).sum()) / (count - len(sizes))
    typical = (count - float((sizes**2).sum()) / count) / (len(sizes) - 1)
    spread = between + (typical - 1) * within
    correlation = min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0
    effect = 1 + (float((sizes**2).sum()) / count - 1) * correlation
    return max(1, int(count / effect + 1e-9))


def p_values(held_out: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Conformal p-values (m,) of new scores: (1 + held-out scores at least as high) / (1 + n).

    For a new normal P(p <= u) <= u; the smallest that n held-out normals can give is 1 / (n + 1).
    """
    ordered = np.sort(np.asarray(held_out, np.float64).ravel())
    below = np.searchsorted(ordered, np.asarray(scores, np.float64), side="left")
    return (1 + len(ordered) - below) / (1 + len(ordered))


def _beta_interval(a: int, b: int) -> tuple[float, float]:
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    return float(beta.ppf(tail, a, b)), float(beta.ppf(1 - tail, a, b))
