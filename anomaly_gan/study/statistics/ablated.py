"""What a study says of its ablations: the part of ``summary.json``, written here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detection.evaluation.statistics import Interval


@dataclass(frozen=True)
class Change:
    """A paired difference to ``main``; ``sample``: what counted as one draw; ``*_holm``: after Holm's correction."""

    interval: Interval
    pairs: int
    p: float | None
    sample: str
    verdict: str
    p_holm: float | None = None
    verdict_holm: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "difference": self.interval.to_json(),
            "pairs": self.pairs,
            "p": self.p,
            "sample": self.sample,
            "verdict": self.verdict,
            "p_holm": self.p_holm,
            "verdict_holm": self.verdict_holm,
        }


@dataclass(frozen=True)
class AblatedFigure:
    """A figure of a variant over its trainings; ``change`` is None for ``main`` and where nothing is paired."""

    level: Interval
    trainings: int
    folds: int
    change: Change | None = None

    def to_json(self) -> dict[str, object]:
        change = self.change.to_json() if self.change else {"difference": None}
        return {"level": self.level.to_json(), "trainings": self.trainings, "folds": self.folds, **change}


@dataclass(frozen=True)
class Variant:
    """A variant of the training, by name of an aim its figures; verdicts and sentence are None for ``main``."""

    variant: str
    changed: str
    trainings: int
    figures: Mapping[str, AblatedFigure]
    verdict: str | None = None
    verdict_holm: str | None = None
    sentence: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "variant": self.variant,
            "changed": self.changed,
            "trainings": self.trainings,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "verdict": self.verdict,
            "verdict_holm": self.verdict_holm,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Ablations:
    """Every arm's variants, ``main`` first. ``objects``: of the quality of photographs, how many real objects a
    category each variant learned from (None: all)."""

    arms: Mapping[str, Sequence[Variant]]
    objects: Mapping[str, int | None] | None = None

    @property
    def sentences(self) -> list[str]:
        return [row.sentence for rows in self.arms.values() for row in rows if row.sentence]

    def to_json(self) -> dict[str, object]:
        return {
            "arms": {arm: {"variants": [row.to_json() for row in rows]} for arm, rows in self.arms.items()},
            "sentences": self.sentences,
            **({} if self.objects is None else {"objects": dict(self.objects)}),
        }
