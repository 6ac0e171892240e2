"""From ratings to scores, agreement, flagged raters and the masks that are kept: the one public entry ``evaluate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anomaly_gan.core.config import nearest
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.seeding import rng_for

from .agreement import Alpha, Concordance, kendall_w, krippendorff_alpha
from .config import EvaluateConfig
from .fuzzy import Scale, Verdict, assess, weighted_mean, weights_for
from .outliers import UNINFORMATIVE, RaterReport, evaluate_raters
from .ratings import RatedMask, Ratings
from .selection import Candidate, Choice, select


@dataclass(frozen=True)
class MaskVerdict:
    """One mask: its verdict, each heard rater's (criterion-weighted) mean, and how many of these approve."""

    mask: RatedMask
    verdict: Verdict
    raters: dict[str, float]
    approving: int


@dataclass(frozen=True)
class Agreement:
    """Agreement of the heard raters: alpha by metric over their means, alpha (interval) per criterion, Kendall's W."""

    overall: dict[str, Alpha]
    criteria: dict[str, Alpha]
    concordance: Concordance


@dataclass(frozen=True)
class Evaluation:
    """``masks`` in the order of the ratings; ``choices`` as ``select`` gives them; ``dropped`` raters are not heard."""

    config: EvaluateConfig
    ratings: Ratings
    masks: tuple[MaskVerdict, ...]
    raters: tuple[RaterReport, ...]
    dropped: tuple[str, ...]
    agreement: Agreement
    choices: tuple[Choice, ...]

    @property
    def kept(self) -> tuple[RatedMask, ...]:
        """The masks that were chosen, category by category, best first."""
        return tuple(choice.mask for choice in self.choices if choice.kept)

    def of(self) -> dict[RatedMask, MaskVerdict]:
        return {verdict.mask: verdict for verdict in self.masks}

    def table(self) -> list[dict[str, object]]:
        """One JSON-able row per mask, in the order of ``choices``: score, grade, degrees, raters, fate and reason."""
        verdicts = self.of()
        rows = []
        for choice in self.choices:
            found = verdicts[choice.mask]
            rows.append(
                {
                    **asdict(choice.mask),
                    "score": found.verdict.score,
                    "grade": found.verdict.grade,
                    "degrees": found.verdict.degrees,
                    "raters": found.raters,
                    "approving": found.approving,
                    "kept": choice.kept,
                    "reason": choice.reason,
                    "detail": choice.detail,
                }
            )
        return rows

    def summary(self) -> dict[str, Any]:
        """JSON-able figures for metrics; what is undefined is null, beside its reason."""
        grades = self.ratings.grades
        figures: dict[str, object] = _rounded(
            {
                "method": self.config.method,
                "masks": len(self.masks),
                "criteria": list(self.ratings.criteria),
                "graded_masks": sum(one.verdict.score is not None for one in self.masks),
                "cells": int(grades.size),
                "missing_cells": int(np.isnan(grades).sum()),
                # flagged raters are named whether they are left out or not
                "raters": {
                    "given": len(self.raters),
                    "dropped": list(self.dropped),
                    "flagged": {
                        one.name: {"flag": one.flag, "reason": one.reason}
                        for one in self.raters
                        if one.flag is not None
                    },
                    "each": {
                        one.name: {
                            "graded": one.graded,
                            "mean": one.mean,
                            "correlation": one.correlation,
                            "bias": one.bias,
                        }
                        for one in self.raters
                    },
                },
                "agreement": {
                    "alpha": {name: asdict(alpha) for name, alpha in self.agreement.overall.items()},
                    "alpha_by_criterion": {name: asdict(alpha) for name, alpha in self.agreement.criteria.items()},
                    "kendall_w": asdict(self.agreement.concordance),
                },
                "categories": self._by_category(),
            }
        )
        return figures

    def _by_category(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for label in sorted({choice.mask.label for choice in self.choices}):
            own = [choice for choice in self.choices if choice.mask.label == label]
            left = Counter(choice.reason for choice in own if not choice.kept)
            found[label] = {
                "masks": len(own),
                "kept": sum(choice.kept for choice in own),
                "kept_without_approval": sum(choice.reason == "at_least" for choice in own),
                "left_out": dict(sorted(left.items())),
            }
        return found


def evaluate(ratings: Ratings, config: EvaluateConfig, seed: int = 0) -> Evaluation:
    """Evaluate all masks and choose among them; ``seed`` drives the bootstrap of the agreement alone.

    Raises:
        ConfigError: a weight names a criterion or rater that the ratings do not have, every criterion has
            weight 0, or nobody is left to be heard.
    """
    _check_names("weights", config.weights, ratings.criteria)
    _check_names("rater_weights", config.rater_weights, ratings.raters)
    by_criterion = weights_for(ratings.criteria, config.weights)
    if ratings.criteria and not by_criterion.any():
        raise ConfigError("evaluate.weights: every criterion has weight 0: give one of them more")
    means = np.round(weighted_mean(ratings.grades, by_criterion), 9)
    reports = evaluate_raters(means, ratings.raters, config.rule())
    dropped = tuple(one.name for one in reports if config.drop_outliers and one.flag in UNINFORMATIVE)
    by_rater = np.array([0.0 if name in dropped else config.rater_weights.get(name, 1.0) for name in ratings.raters])
    heard = by_rater > 0
    if ratings.raters and not heard.any():
        raise ConfigError("evaluate: every rater has weight 0 or was dropped: nobody is heard")
    scale = config.scale()
    masks = tuple(
        _mask_verdict(mask, ratings, index, means[index], (by_criterion, by_rater), scale, config)
        for index, mask in enumerate(ratings.masks)
    )
    candidates = [Candidate(one.mask, one.verdict.score, len(one.raters), one.approving) for one in masks]
    choices = select(
        candidates,
        top=config.top,
        unanimous=config.unanimous,
        least_raters=config.least_raters,
        at_least=config.at_least,
    )
    agreement = _agreement(ratings, means, heard, config, seed)
    return Evaluation(config, ratings, masks, reports, dropped, agreement, choices)


def _check_names(field: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for name in given:
        if known and name not in known:
            raise ConfigError(f"evaluate.{field}: the ratings have no {name!r}{nearest(name, known)}")


def _mask_verdict(
    mask: RatedMask,
    ratings: Ratings,
    index: int,
    means: np.ndarray,
    weights: tuple[np.ndarray, np.ndarray],
    scale: Scale,
    config: EvaluateConfig,
) -> MaskVerdict:
    by_criterion, by_rater = weights
    heard = by_rater > 0
    verdict = assess(
        ratings.grades[index, heard],
        scale,
        method=config.method,
        criterion_weights=by_criterion,
        rater_weights=by_rater[heard],
        composition=config.aggregation,
        defuzzify=config.defuzzify,
    )
    own = {
        name: float(mean)
        for name, mean, listen in zip(ratings.raters, means, heard, strict=True)
        if listen and not np.isnan(mean)
    }
    return MaskVerdict(mask, verdict, own, sum(_approves(mean, scale, config) for mean in own.values()))


def _approves(mean: float, scale: Scale, config: EvaluateConfig) -> bool:
    if isinstance(config.approval, str):
        wanted = [name.casefold() for name in scale.names].index(config.approval.strip().casefold())
        return scale.index_of(mean) >= wanted
    return mean >= config.approval


def _agreement(ratings: Ratings, means: np.ndarray, heard: np.ndarray, config: EvaluateConfig, seed: int) -> Agreement:
    def alpha(values: np.ndarray, metric: Any, name: str) -> Alpha:
        rng = rng_for(seed, "agreement", name, metric) if config.bootstrap else None
        return krippendorff_alpha(values, metric, rng=rng, resamples=config.bootstrap, confidence=config.confidence)

    overall = {metric: alpha(means[:, heard], metric, "") for metric in ("interval", "ordinal")}
    criteria = {
        name: alpha(ratings.grades[:, heard, index], "interval", name) for index, name in enumerate(ratings.criteria)
    }
    return Agreement(overall, criteria, kendall_w(means[:, heard]))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
