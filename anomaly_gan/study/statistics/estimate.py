"""The one estimate behind every figure of a study: the mean over folds of the mean over seeds, with its intervals.

Each fold's AP is computed on its own test objects. The interval is a hierarchical bootstrap: within each fold the
test objects and the seeds are drawn again, the same draw for all arms; 95 % percentiles. It says how far a result
would carry to other objects and other trainings on the same training photographs. Folds are not drawn: together they
hold every object once. What other training photographs would have done is not in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from anomaly_gan.core.seeding import rng_for
from detection.evaluation.statistics import Interval, percentile_interval, verdict

from .resample import DrawnCell, mean_known, seed_weights
from .verdicts import p_value


@dataclass(frozen=True)
class Term:
    """One (fold, seed): an observed value, a cell's or a difference of two cells', and its draws over objects."""

    fold: int
    seed: int
    observed: float
    drawn: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """``interval`` is over objects and seeds; ``over_seeds`` over seeds alone (repeatability on the same objects).

    ``drawn`` (draws,) are the bootstrap values; ``sd_objects`` is the spread over objects alone (trainings as they
    are), None where it cannot be told; ``per_fold`` the mean over seeds of each fold.
    """

    interval: Interval
    over_seeds: Interval
    sd_objects: float | None
    p: float | None
    drawn: np.ndarray = field(repr=False, compare=False)
    per_fold: dict[int, float]
    pairs: int
    single_seed: bool

    def to_json(self) -> dict[str, object]:
        return {
            **self.interval.to_json(),
            "over_seeds": self.over_seeds.to_json(),
            "p": self.p,
            "folds": len(self.per_fold),
            "cells": self.pairs,
            "per_fold": {str(k): v for k, v in sorted(self.per_fold.items())},
            "seeds_drawn": not self.single_seed,
        }

    @property
    def verdict(self) -> str:
        """Of a difference: ``better``, ``worse`` or ``no difference shown``."""
        return verdict(self.interval)

    def judged_json(self) -> dict[str, object]:
        """A difference with its verdict."""
        return {**self.to_json(), "verdict": self.verdict}

    def short_json(self) -> dict[str, object]:
        """The interval, and how much stands behind it."""
        return {**self.interval.to_json(), "folds": len(self.per_fold), "cells": self.pairs}


def arm_terms(cells: Iterable[DrawnCell], category: str | None = None, metric: str = "map50") -> list[Term]:
    """The values of cells of one arm; cells without the figure (a fold without that category) are left out.

    Only ``map50`` and a category's AP at IoU 0.5 can be drawn over objects; other metrics have no draws.
    """
    terms = []
    for item in cells:
        observed = item.cell.figure(category, metric)
        if observed is not None and (category is None or category in item.per_category):
            drawn = item.values(category) if metric == "map50" else np.empty(0)
            terms.append(Term(item.cell.fold, item.cell.seed, observed, drawn))
    return terms


def paired_terms(first: Sequence[Term], second: Sequence[Term]) -> list[Term]:
    """first - second over the (fold, seed) pairs that both have."""
    other = {(term.fold, term.seed): term for term in second}
    return [
        Term(term.fold, term.seed, term.observed - twin.observed, term.drawn - twin.drawn)
        for term in first
        if (twin := other.get((term.fold, term.seed))) is not None
    ]


def estimate(terms: Sequence[Term], seed: int, stream: str = "main") -> Estimate | None:
    """The mean over folds of the mean over seeds; None without terms.

    Equal (fold, seeds) give equal draws of the seeds, so that estimates made from the same cells of several arms
    are paired; another ``stream`` draws independently.
    """
    by_fold: dict[int, list[Term]] = defaultdict(list)
    for term in sorted(terms, key=lambda term: (term.fold, term.seed)):
        by_fold[term.fold].append(term)
    if not by_fold:
        return None
    folds, fixed, trained = [], [], []
    for fold, rows in by_fold.items():
        values = np.stack([term.drawn for term in rows])
        shares = seed_weights(
            len(rows), values.shape[1], rng_for(seed, "study", "seeds", stream, fold, *(term.seed for term in rows))
        )
        folds.append(mean_known(values, shares.T))
        fixed.append(mean_known(values))
        trained.append(shares @ np.asarray([term.observed for term in rows]))
    per_fold = {fold: float(np.mean([term.observed for term in rows])) for fold, rows in by_fold.items()}
    mean = float(np.mean(list(per_fold.values())))
    over_objects = mean_known(np.stack(fixed))
    free = sum(len(rows) - 1 for rows in by_fold.values())
    drawn = unfold(mean_known(np.stack(folds)), over_objects, np.mean(trained, axis=0), free)
    known = over_objects[np.isfinite(over_objects)]
    finite = drawn[np.isfinite(drawn)]
    return Estimate(
        percentile_interval(mean, list(finite)),
        seeds_interval(mean, by_fold.values()),
        float(known.std(ddof=1)) if len(known) > 1 else None,
        p_value(finite),
        drawn,
        per_fold,
        len(terms),
        max(len(rows) for rows in by_fold.values()) < 2,
    )


def unfold(drawn: np.ndarray, over_objects: np.ndarray, over_seeds: np.ndarray, free: int) -> np.ndarray:
    """``drawn`` (draws,) of objects and seeds together, brought to the spread the mean really has.

    What one training happens to find on one object (the interaction of the two) counts once in the variance of the
    mean, once in each variance V_o, V_s over objects or seeds alone, but three times in V of both drawn together
    (Owen 2007, Ann. Appl. Stat. 1(2), theorem 3). So V - V_o - V_s is one interaction, and the mean has
    V_o + V_s - (V - V_o - V_s) = 2 (V_o + V_s) - V; never less than V_o or V_s, nor more than V.

    V_s stands on ``free`` degrees of freedom only (seeds - 1, over the folds): the spread is widened by
    t(0.975; nu) / z(0.975), nu = free (V_total / V_s)^2 (Satterthwaite 1946, with V_o taken as known).
    """
    known = np.isfinite(drawn) & np.isfinite(over_objects)
    if known.sum() < 2:
        return drawn
    both, objects, seeds = (float(values[known].var(ddof=1)) for values in (drawn, over_objects, over_seeds))
    if both <= 0:
        return drawn
    wanted = min(max(2 * (objects + seeds) - both, objects, seeds), both)
    few = stats.t.ppf(0.975, free * (wanted / seeds) ** 2) / stats.norm.ppf(0.975) if free and seeds > 0 else 1.0
    middle = float(drawn[known].mean())
    return middle + (drawn - middle) * np.sqrt(wanted / both) * few


def seeds_interval(mean: float, folds: Iterable[Sequence[Term]], level: float = 0.95) -> Interval:
    """Student's t-interval of the mean of F fold means under another draw of the seeds.

    The spread within folds is pooled: s^2 = sum of squares within folds / sum(n_f - 1), variance of the mean
    s^2 sum(1 / n_f) / F^2, degrees of freedom sum(n_f - 1). No bounds where no fold has two seeds.
    """
    values = [np.asarray([term.observed for term in rows]) for rows in folds]
    free = sum(len(row) - 1 for row in values)
    if free < 1:
        return Interval(mean, None, None)
    pooled = sum(float(((row - row.mean()) ** 2).sum()) for row in values) / free
    half = float(
        stats.t.ppf(0.5 + level / 2, free) * np.sqrt(pooled * sum(1 / len(row) for row in values)) / len(values)
    )
    return Interval(mean, mean - half, mean + half)
