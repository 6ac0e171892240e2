"""What two ways of dealing with the same arms differ by: image split against object split, gated against ungated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detection.evaluation.statistics import Interval, percentile_interval, verdict

from .comparisons import NONE, ByArm, by_arm, signed
from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell


def leak_gap(main: Sequence[DrawnCell], leak: Sequence[DrawnCell], seed: int) -> dict[str, Any] | None:
    """Per arm of both: AP at IoU 0.5 under the usual random image split and by objects, and the lift over ``none``
    under both. None where no arm is in both.

    The two were judged on different photographs, so their difference is not paired: both sides are drawn
    independently, and the interval is the wider for it.
    """
    objects, images = by_arm(main), by_arm(leak)
    arms = {}
    for arm in [name for name in objects if name in images]:
        by_objects, by_images = _ap(objects, arm, seed, "main"), _ap(images, arm, seed, "leak")
        if by_objects is None or by_images is None:
            continue
        gap = _unpaired(by_images, by_objects)
        row: dict[str, Any] = {
            "by_images": by_images.to_json(),
            "by_objects": by_objects.to_json(),
            "gap": {**gap.to_json(), "verdict": verdict(gap)},
            "lift": None,
        }
        row["sentence"] = (
            f"{arm}: AP@0.5 {by_images.interval.mean:.3f} under a random image split, "
            f"{by_objects.interval.mean:.3f} by objects: {_worth(row['gap'])}."
        )
        if arm != NONE:
            row["lift"] = _lift(arm, objects, images, seed)
        arms[arm] = row
    if not arms:
        return None
    lifts = [row["lift"]["sentence"] for row in arms.values() if row["lift"]]
    return {"arms": arms, "sentences": [row["sentence"] for row in arms.values()] + lifts}


def _worth(gap: Mapping[str, Any]) -> str:
    if gap["verdict"] == "better":
        return f"leakage is worth {signed(gap)}"
    return f"no leakage shown (gap {signed(gap)})"


def _lift(arm: str, objects: ByArm, images: ByArm, seed: int) -> dict[str, object] | None:
    by_objects, by_images = _over_none(objects, arm, seed, "main"), _over_none(images, arm, seed, "leak")
    if by_objects is None or by_images is None:
        return None
    gap = _unpaired(by_images, by_objects)
    shown = verdict(by_images.interval)
    share = gap.mean / by_images.interval.mean if shown == "better" else None
    row: dict[str, Any] = {
        "by_images": {**by_images.to_json(), "verdict": shown},
        "by_objects": {**by_objects.to_json(), "verdict": verdict(by_objects.interval)},
        "gap": {**gap.to_json(), "verdict": verdict(gap)},
        "share_leaked": share,
    }
    text = (
        f"{arm}: lift over {NONE} {signed(row['by_images'])} under a random image split, "
        f"{signed(row['by_objects'])} by objects"
    )
    if share is None:
        text += "; the image split shows no lift that leakage could explain."
    elif verdict(gap) == "better":
        text += f"; {min(1.0, share):.0%} of the lift of the image split is leakage (gap {signed(row['gap'])})."
    else:
        text += f"; no part of it is shown to be leakage (gap {signed(row['gap'])})."
    return {**row, "sentence": text}


def gated_against_ungated(main: Sequence[DrawnCell], ungated: Sequence[DrawnCell], seed: int) -> dict[str, Any] | None:
    """Per arm of both: gated - ungated, paired by fold and seed on the same test objects. None without a pair."""
    gated, free = by_arm(main), by_arm(ungated)
    arms = {}
    for arm in [name for name in gated if name in free and name != NONE]:
        made = estimate(paired_terms(arm_terms(gated[arm]), arm_terms(free[arm])), seed)
        if made is None:
            continue
        word = verdict(made.interval)
        row = {**made.to_json(), "verdict": word}
        head = {
            "better": "gated photographs are better than ungated ones",
            "worse": "gated photographs are worse than ungated ones",
        }.get(word, "no effect of the gate shown")
        arms[arm] = {**row, "sentence": f"{arm}: {head}: AP@0.5 {signed(row)} over {made.pairs} pairs of trainings."}
    return {"arms": arms, "sentences": [row["sentence"] for row in arms.values()]} if arms else None


def _ap(arms: ByArm, arm: str, seed: int, stream: str) -> Estimate | None:
    return estimate(arm_terms(arms[arm]), seed, stream)


def _over_none(arms: ByArm, arm: str, seed: int, stream: str) -> Estimate | None:
    return estimate(paired_terms(arm_terms(arms[arm]), arm_terms(arms.get(NONE, []))), seed, stream)


def _unpaired(first: Estimate, second: Estimate) -> Interval:
    drawn = first.drawn - second.drawn
    return percentile_interval(first.interval.mean - second.interval.mean, list(drawn[np.isfinite(drawn)]))
