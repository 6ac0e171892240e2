"""The content of a lift study's ``summary.json``, written here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from detection.evaluation.statistics import Interval


@dataclass(frozen=True)
class CategoryMeans:
    """Means over the cells that have the category; None where undefined."""

    ap50: float | None
    ap30: float | None
    pixel_ap: float | None
    iou: float | None


@dataclass(frozen=True)
class ArmMeans:
    """One arm at one number of objects (``all``: every one) and one length.

    ``figures``: means by name; ``ap50_interval``: None without a bootstrap; ``seconds``: of the training.
    """

    objects: int | str
    exposures: float
    arm: str
    cells: int
    ap50_interval: Interval | None
    figures: Mapping[str, float | None]
    categories: Mapping[str, CategoryMeans]
    real_defective: float | None
    seconds: float | None

    def to_json(self) -> dict[str, object]:
        content = asdict(self)
        return content.pop("figures") | content


@dataclass(frozen=True)
class ArmLift:
    """An arm's difference to the better reference over ``cells`` pairs: in AP@0.5 with its interval, and by figure."""

    arm: str
    cells: int
    lift: float | None
    interval: Interval | None
    others: Mapping[str, float | None]

    def to_json(self) -> dict[str, object]:
        content = asdict(self)
        return {f"{name}_lift": value for name, value in content.pop("others").items()} | content

    def sentence(self, of: Lifts) -> str | None:
        """What the arm added, and whether that is shown; None where there is no lift."""
        if self.lift is None:
            return None
        span, verdict, bounds = "", "no interval", self.interval
        if bounds is not None and bounds.low is not None and bounds.high is not None:
            span = f" [{bounds.low:+.3f}, {bounds.high:+.3f}]"
            verdict = "helps" if bounds.low > 0 else "harms" if bounds.high < 0 else "nothing shown"
        return (
            f"{of.objects} objects a category, {self.arm}: AP@0.5 {self.lift:+.3f}{span} over {of.reference}, "
            f"{self.cells} pairs: {verdict}."
        )


@dataclass(frozen=True)
class Lifts:
    """Every arm against the better reference at one number of objects."""

    objects: int | str
    exposures: float
    reference: str
    arms: Sequence[ArmLift]

    def to_json(self) -> dict[str, object]:
        return {
            "objects": self.objects,
            "exposures": self.exposures,
            "reference": self.reference,
            "arms": [arm.to_json() for arm in self.arms],
        }


@dataclass(frozen=True)
class LiftSummary:
    """A study: how many cells are done and failed, how many arms were tried, and what they came to."""

    name: str
    dataset: str
    cells: int
    failed: int
    arms_tried: int
    arms: Sequence[ArmMeans]
    lifts: Sequence[Lifts]

    def sentences(self) -> list[str]:
        return [text for row in self.lifts for arm in row.arms if (text := arm.sentence(row)) is not None]

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "dataset": self.dataset,
            "cells": self.cells,
            "failed": self.failed,
            "arms_tried": self.arms_tried,
            "arms": [arm.to_json() for arm in self.arms],
            "lifts": [row.to_json() for row in self.lifts],
            "sentences": self.sentences(),
        }
