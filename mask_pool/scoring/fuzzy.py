"""Fuzzy comprehensive evaluation: many experts' grades under several criteria become one score with a word for it.

A linguistic grade is a fuzzy number on 0..10, and a value belongs to each grade by a degree (Zadeh 1965, "Fuzzy
sets", Information and Control 8, 338-353). The paper (Anomaly-GAN, section 4.1.2) names "fuzzy set theory (Isomoto &
Yoshine, 1995)" for its expert evaluation and then takes "the average of the expert scores"; it gives no membership
functions, criteria or weights, so these are ours, and its average is ``method="mean"`` of the same function.

For one mask, with grades g[r, c] of rater r under criterion c (missing ones left out everywhere):

1. degrees        mu_j(g) of grade j, divided by their sum over j                        ``Scale.degrees``
2. matrix         R[c, j] = sum_r u_r mu_j(g[r, c]) / sum_r u_r, u the raters' weights   ``membership_matrix``
3. composition    b_j = sum_c w_c R[c, j]            M(., +), weighted mean
                  b_j = max_c min(w_c / max w, R[c, j])   M(min, max), Zadeh's max-min   ``compose``
4. normalisation  b_j / sum b
5. defuzzified    s = sum_j b_j v_j, v_j the centroid (or the peak) of grade j           ``Scale.values``

With M(., +) the score never falls where a grade is raised (steps 1 and 5 are monotone for ordered grades, 2 and 3
are averages). Max-min has no such promise: see ``compose``. The centroid of the united, cut-off sets (Mamdani) is
not offered, because it is not monotone either: the end grades have half the area of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .ratings import HIGHEST, LOWEST

WORDS = ("poor", "fair", "medium", "good", "excellent")
Composition = Literal["weighted_mean", "max_min"]
Defuzzifier = Literal["centroid", "peak"]


@dataclass(frozen=True)
class Grade:
    """A trapezoidal fuzzy number: 0 up to ``corners[0]``, 1 from [1] to [2], 0 from [3]; [1] == [2] is a triangle."""

    name: str
    corners: tuple[float, float, float, float]

    @property
    def peak(self) -> float:
        """Middle of the values that belong to the grade fully: what the word alone stands for."""
        return (self.corners[1] + self.corners[2]) / 2

    @property
    def centroid(self) -> float:
        """Centre of the area under the trapezoid, ∫x mu(x) dx / ∫mu(x) dx; the corner itself for a single value.

        A trapezoid is what is left of its outer triangles: ∫mu = (d + c - a - b)/2 and
        ∫x mu = (d² + dc + c² - a² - ab - b²)/6.
        """
        a, b, c, d = self.corners
        area = (d + c - a - b) / 2
        return (d * d + d * c + c * c - a * a - a * b - b * b) / 6 / area if area > 0 else b

    def degree(self, values: np.ndarray) -> np.ndarray:
        """Degree 0..1 to which each value belongs to this grade; NaN stays NaN."""
        a, b, c, d = self.corners
        rise = np.clip(values - a, 0, b - a) / (b - a) if b > a else np.where(values >= a, 1.0, 0.0)
        fall = np.clip(d - values, 0, d - c) / (d - c) if d > c else np.where(values <= d, 1.0, 0.0)
        return np.where(np.isnan(values), np.nan, np.minimum(rise, fall))


@dataclass(frozen=True)
class Scale:
    """The grades, worst first.

    Raises:
        ValueError: fewer than two grades, a name given twice or empty, corners out of 0..10 or out of order within a
            grade or from grade to grade (the score would not be monotone), or a value between belongs to no grade.
    """

    grades: tuple[Grade, ...]

    def __post_init__(self) -> None:
        names = [grade.name.casefold() for grade in self.grades]
        if len(names) < 2 or len(set(names)) != len(names) or not all(name.strip() for name in names):
            raise ValueError("needs at least two grades with different names")
        for grade in self.grades:
            if list(grade.corners) != sorted(grade.corners):
                raise ValueError(f"{grade.name}: corners {grade.corners} are not in ascending order")
            if not LOWEST <= grade.corners[0] <= grade.corners[3] <= HIGHEST:
                raise ValueError(f"{grade.name}: corners {grade.corners} leave {LOWEST:g}..{HIGHEST:g}")
        for low, high in zip(self.grades, self.grades[1:], strict=False):
            if any(one > two for one, two in zip(low.corners, high.corners, strict=True)) or low.peak >= high.peak:
                raise ValueError(f"{low.name} must lie below {high.name} with every corner")
        self._check_cover()

    def _check_cover(self) -> None:
        """Between neighbouring corners all degrees are linear: a gap shows at a corner or in the middle of a piece."""
        knots = np.unique([LOWEST, HIGHEST, *(corner for grade in self.grades for corner in grade.corners)])
        probes = np.concatenate([knots, (knots[1:] + knots[:-1]) / 2])
        bare = probes[self._raw(probes).sum(axis=-1) <= 0]
        if bare.size:
            raise ValueError(f"the value {bare[0]:g} belongs to no grade: let the grades overlap")

    def _raw(self, values: np.ndarray) -> np.ndarray:
        return np.stack([grade.degree(values) for grade in self.grades], axis=-1)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(grade.name for grade in self.grades)

    def degrees(self, values: np.ndarray) -> np.ndarray:
        """Membership (..., J) of values (...) in each grade, summing to 1; NaN where the value is missing."""
        raw = self._raw(np.asarray(values, np.float64))
        return raw / raw.sum(axis=-1, keepdims=True)

    def values(self, how: Defuzzifier) -> np.ndarray:
        """The number (J,) that each grade counts as: its centroid or its peak."""
        return np.array([grade.centroid if how == "centroid" else grade.peak for grade in self.grades])

    def value_of(self, word: str) -> float | None:
        """Peak of the grade of that name, in any case; None where there is none."""
        wanted = word.strip().casefold()
        return next((grade.peak for grade in self.grades if grade.name.casefold() == wanted), None)

    def index_of(self, value: float) -> int:
        """The grade that ``value`` belongs to most; the better one of two equal ones."""
        return _dominant(self.degrees(np.array(value)))


def even_scale(names: Sequence[str] = WORDS) -> Scale:
    """Triangles whose peaks divide 0..10 evenly, each reaching to its neighbours' peaks: degrees sum to 1 by nature."""
    peaks = np.linspace(LOWEST, HIGHEST, max(2, len(names))).tolist()
    around = [LOWEST, *peaks, HIGHEST]
    return Scale(
        tuple(
            Grade(name, (around[index], peaks[index], peaks[index], around[index + 2]))
            for index, name in enumerate(names)
        )
    )


@dataclass(frozen=True)
class Verdict:
    """What became of one mask: score 0..10, degree of each grade (summing to 1), and the grade it belongs to most.

    All are None where nobody graded the mask.
    """

    score: float | None
    degrees: dict[str, float] | None
    grade: str | None


def membership_matrix(grades: np.ndarray, rater_weights: np.ndarray, scale: Scale) -> np.ndarray:
    """R (C, J): for each criterion the weighted share of raters in each grade; a row of NaN where nobody graded it.

    Args:
        grades: (R, C), NaN where missing.
        rater_weights: (R,), not negative; only their proportions among those who graded a criterion count.
    """
    degrees = scale.degrees(grades)
    weights = np.where(np.isnan(grades), 0.0, rater_weights[:, None])
    total = weights.sum(axis=0)
    summed = np.einsum("rc,rcj->cj", weights, np.nan_to_num(degrees))
    return np.divide(summed, total[:, None], out=np.full(summed.shape, np.nan), where=total[:, None] > 0)


def compose(matrix: np.ndarray, criterion_weights: np.ndarray, how: Composition) -> np.ndarray:
    """b (J,) of one mask, normalised to sum 1, from R (C, J); criteria nobody graded lend their weight to the others.

    ``max_min`` lets the strongest argument decide instead of averaging; it is not monotone: where two criteria say
    the same, raising a grade under one leaves the old grade's share standing under the other.

    Args:
        criterion_weights: (C,), not negative; only their proportions count.
    """
    there = ~np.isnan(matrix[:, 0]) & (criterion_weights > 0)
    if not there.any():
        return np.full(matrix.shape[1], np.nan)
    rows, weights = matrix[there], criterion_weights[there]
    if how == "max_min":
        joined = np.minimum((weights / weights.max())[:, None], rows).max(axis=0)
    else:
        joined = (weights / weights.sum()) @ rows
    return joined / joined.sum()


def assess(
    grades: np.ndarray,
    scale: Scale,
    *,
    method: Literal["fuzzy", "mean"] = "fuzzy",
    criterion_weights: np.ndarray | None = None,
    rater_weights: np.ndarray | None = None,
    composition: Composition = "weighted_mean",
    defuzzify: Defuzzifier = "centroid",
) -> Verdict:
    """Evaluate one mask from its grades (R, C) in 0..10, NaN where missing.

    ``method="mean"`` is the paper's plain average (over raters, then the weighted one over criteria): the degrees are
    still given, but the score is sum_c w_c sum_r u_r g[r, c]. With evenly spread triangles it equals
    ``defuzzify="peak"``, because interpolating between the peaks gives back the value; the centroids of the end grades
    lie inside the scale (0.83 and 9.17 of five), so that extreme grades pull less.

    Args:
        grades: (R, C) in 0..10: raters by criteria, NaN where missing.
        scale: the linguistic grades.
        method: ``fuzzy`` (comprehensive evaluation) or ``mean``.
        criterion_weights: (C,), at least 0; None: equal.
        rater_weights: (R,), at least 0; None: equal.
        composition: how weights and memberships are composed.
        defuzzify: how degrees become a score.

    Returns:
        Score 0..10, grade and degrees; the score is None where nobody graded.
    """
    raters, criteria = grades.shape
    by_rater = np.ones(raters) if rater_weights is None else rater_weights
    by_criterion = np.ones(criteria) if criterion_weights is None else criterion_weights
    joined = compose(membership_matrix(grades, by_rater, scale), by_criterion, composition)
    if np.isnan(joined).any():
        return Verdict(None, None, None)
    if method == "mean":
        score = weighted_mean(weighted_mean(grades.T, by_rater), by_criterion)
    else:
        score = joined @ scale.values(defuzzify)
    rounded = [round(float(degree), 9) for degree in joined]
    return Verdict(
        min(HIGHEST, max(LOWEST, round(float(score), 9))),
        dict(zip(scale.names, rounded, strict=True)),
        scale.names[_dominant(joined)],
    )


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the last axis of ``values`` (..., K) with ``weights`` (K,), leaving NaN out; NaN where all are."""
    used = np.where(np.isnan(values), 0.0, weights)
    total = used.sum(axis=-1)
    return np.divide(
        (used * np.nan_to_num(values)).sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0
    )


def weights_for(names: Sequence[str], given: Mapping[str, float]) -> np.ndarray:
    """The weight of each name, summing to 1; equal where none are given, 1 (before that) for a name left out."""
    weights = np.array([given.get(name, 1.0) for name in names], np.float64)
    return weights / weights.sum() if weights.size and weights.sum() > 0 else weights


def _dominant(degrees: np.ndarray) -> int:
    """Index of the largest degree; of equal ones (to rounding) the better grade."""
    return int(np.flatnonzero(degrees >= degrees.max() - 1e-9)[-1])
