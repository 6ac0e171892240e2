"""What two ways of dealing with the same arms differ by: image split against object split, gated against ungated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detection.evaluation.statistics import Interval, percentile_interval, verdict

from .comparisons import NONE, ByArm, by_arm, signed
from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell


@dataclass(frozen=True)
class BothSplits:
    """A figure of one arm under the usual random image split and by objects; ``gap``: the first less the second.

    The two were evaluated on different photographs, so the gap is not paired: both sides are drawn independently, and
    its interval is the wider for it.
    """

    by_images: Estimate
    by_objects: Estimate
    gap: Interval

    @classmethod
    def of(cls, by_images: Estimate | None, by_objects: Estimate | None) -> BothSplits | None:
        """None where either side is missing."""
        if by_images is None or by_objects is None:
            return None
        drawn = by_images.drawn - by_objects.drawn
        mean = by_images.interval.mean - by_objects.interval.mean
        return cls(by_images, by_objects, percentile_interval(mean, list(drawn[np.isfinite(drawn)])))

    def gap_json(self) -> dict[str, object]:
        return {**self.gap.to_json(), "verdict": verdict(self.gap)}


@dataclass(frozen=True)
class LeakedArm:
    """AP at IoU 0.5 of an arm under both splits, and its lift over ``none``, None for ``none`` itself."""

    arm: str
    ap50: BothSplits
    lift: BothSplits | None

    @property
    def share_leaked(self) -> float | None:
        """Of the lift of the image split the share that is gone by objects; None where it shows no lift."""
        if self.lift is None or self.lift.by_images.verdict != "better":
            return None
        return self.lift.gap.mean / self.lift.by_images.interval.mean

    def to_json(self) -> dict[str, object]:
        of = self.ap50
        lift = self.lift and {
            "by_images": self.lift.by_images.judged_json(),
            "by_objects": self.lift.by_objects.judged_json(),
            "gap": self.lift.gap_json(),
            "share_leaked": self.share_leaked,
            "sentence": self.lift_sentence(),
        }
        return {
            "by_images": of.by_images.to_json(),
            "by_objects": of.by_objects.to_json(),
            "gap": of.gap_json(),
            "lift": lift,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        of, gap = self.ap50, signed(self.ap50.gap)
        worth = f"leakage is worth {gap}" if verdict(of.gap) == "better" else f"no leakage shown (gap {gap})"
        return (
            f"{self.arm}: AP@0.5 {of.by_images.interval.mean:.3f} under a random image split, "
            f"{of.by_objects.interval.mean:.3f} by objects: {worth}."
        )

    def lift_sentence(self) -> str | None:
        if self.lift is None:
            return None
        text = (
            f"{self.arm}: lift over {NONE} {signed(self.lift.by_images.interval)} under a random image split, "
            f"{signed(self.lift.by_objects.interval)} by objects"
        )
        share, gap = self.share_leaked, signed(self.lift.gap)
        if share is None:
            return text + "; the image split shows no lift that leakage could explain."
        if verdict(self.lift.gap) == "better":
            return text + f"; {min(1.0, share):.0%} of the lift of the image split is leakage (gap {gap})."
        return text + f"; no part of it is shown to be leakage (gap {gap})."


@dataclass(frozen=True)
class LeakStudy:
    """Every arm that was judged under both splits."""

    arms: Mapping[str, LeakedArm]

    @property
    def sentences(self) -> list[str]:
        lifts = [row.lift_sentence() for row in self.arms.values()]
        return [*(row.sentence() for row in self.arms.values()), *(text for text in lifts if text)]

    def to_json(self) -> dict[str, object]:
        return {"arms": {arm: row.to_json() for arm, row in self.arms.items()}, "sentences": self.sentences}


@dataclass(frozen=True)
class GatedStudy:
    """Every arm that was trained with and without the gate: gated - ungated, paired by fold and seed on the same test
    objects."""

    arms: Mapping[str, Estimate]

    @property
    def sentences(self) -> list[str]:
        return [self._sentence(arm) for arm in self.arms]

    def to_json(self) -> dict[str, object]:
        return {
            "arms": {arm: made.judged_json() | {"sentence": self._sentence(arm)} for arm, made in self.arms.items()},
            "sentences": self.sentences,
        }

    def _sentence(self, arm: str) -> str:
        made = self.arms[arm]
        head = {
            "better": "gated photographs are better than ungated ones",
            "worse": "gated photographs are worse than ungated ones",
        }.get(made.verdict, "no effect of the gate shown")
        return f"{arm}: {head}: AP@0.5 {signed(made.interval)} over {made.pairs} pairs of trainings."


def leak_study(main: Sequence[DrawnCell], leak: Sequence[DrawnCell], seed: int) -> LeakStudy | None:
    """None where no arm is in both."""
    objects, images = by_arm(main), by_arm(leak)
    arms = {}
    for arm in [name for name in objects if name in images]:
        ap50 = BothSplits.of(_ap(images, arm, seed, "leak"), _ap(objects, arm, seed, "main"))
        if ap50 is None:
            continue
        lift = (
            BothSplits.of(_over_none(images, arm, seed, "leak"), _over_none(objects, arm, seed, "main"))
            if arm != NONE
            else None
        )
        arms[arm] = LeakedArm(arm, ap50, lift)
    return LeakStudy(arms) if arms else None


def gated_study(main: Sequence[DrawnCell], ungated: Sequence[DrawnCell], seed: int) -> GatedStudy | None:
    """None without a pair."""
    gated, free = by_arm(main), by_arm(ungated)
    found = {
        arm: estimate(paired_terms(arm_terms(gated[arm]), arm_terms(free[arm])), seed)
        for arm in gated
        if arm in free and arm != NONE
    }
    arms = {arm: made for arm, made in found.items() if made is not None}
    return GatedStudy(arms) if arms else None


def _ap(arms: ByArm, arm: str, seed: int, stream: str) -> Estimate | None:
    return estimate(arm_terms(arms[arm]), seed, stream)


def _over_none(arms: ByArm, arm: str, seed: int, stream: str) -> Estimate | None:
    return estimate(paired_terms(arm_terms(arms[arm]), arm_terms(arms.get(NONE, []))), seed, stream)
