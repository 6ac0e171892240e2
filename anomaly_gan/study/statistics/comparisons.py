"""Arms of one detector: their means, and the paired comparisons with a plain sentence each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from anomaly_gan.synthesis.registry import METHODS
from detection.evaluation.metric_names import METRICS
from detection.evaluation.statistics import Interval

from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell
from .verdicts import LEVEL, holm, holm_verdict, objects_needed

NONE = "none"
PAPER = "anomaly_gan_paper"
OURS = ("anomaly_gan", PAPER, "hybrid", "best")
POINTS = 0.05
"""The difference whose sample size is told: 5 points of AP."""
PAIR = ("pair of trainings", "pairs of trainings")
"""What a comparison counts, one and several."""
ByArm = Mapping[str, Sequence[DrawnCell]]


@dataclass(frozen=True)
class ArmFigures:
    """One arm: the estimate of every metric, and of AP at IoU 0.5 in every category (None where undefined)."""

    metrics: Mapping[str, Estimate | None]
    categories: Mapping[str, Estimate | None]
    cells: int
    folds: Sequence[int]
    seeds: Sequence[int]

    def to_json(self) -> dict[str, object]:
        return {
            **{name: made.to_json() if made else None for name, made in self.metrics.items()},
            "categories": {name: made.short_json() if made else None for name, made in self.categories.items()},
            "cells": self.cells,
            "folds": list(self.folds),
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class Comparison:
    """``arm`` - ``against`` over the (fold, seed) pairs that both have.

    ``kind``: why these two (``none``, ``best_other``, ``paper``, ``shared_pool``); ``unpaired``: cells that only one
    of the two has, which enter nothing; ``holm_of``: how many comparisons Holm's correction counts (None: not
    corrected); ``unit``: what the sentence calls one cell against another.
    """

    arm: str
    against: str
    kind: str
    made: Estimate
    unpaired: int
    objects: int
    objects_needed: int | None
    categories: Mapping[str, Estimate | None]
    other_metrics: Mapping[str, Interval]
    unit: tuple[str, str] = PAIR
    p_holm: float | None = None
    holm_of: int | None = None

    @property
    def verdict_holm(self) -> str | None:
        return None if self.holm_of is None else holm_verdict(self.made.verdict, self.p_holm)

    def to_json(self) -> dict[str, object]:
        return {
            "arm": self.arm,
            "against": self.against,
            "kind": self.kind,
            **self.made.judged_json(),
            "p_holm": self.p_holm,
            "holm_of": self.holm_of,
            "verdict_holm": self.verdict_holm,
            "unpaired": self.unpaired,
            "objects": self.objects,
            "objects_needed": self.objects_needed,
            "categories": {name: made.short_json() if made else None for name, made in self.categories.items()},
            "other_metrics": {name: interval.to_json() for name, interval in self.other_metrics.items()},
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """In plain words; it claims no more than the interval carries."""
        word = self.made.verdict
        head = {"better": f"better than {self.against}", "worse": f"worse than {self.against}"}.get(
            word, f"no difference to {self.against} shown"
        )
        text = f"{self.arm}: {head}: AP@0.5 {signed(self.made.interval)} over {self._behind()}"
        if self.holm_of is not None and self.holm_of > 1 and self.p_holm is not None:
            kept = {"better": "still better", "worse": "still worse"}.get(self.verdict_holm or "", "not shown")
            if word in ("better", "worse"):
                text += f"; {kept} after Holm's correction for {self.holm_of} comparisons"
        if self.kind == "best_other":
            text += f"; {self.against} is the best other arm by these same figures, which flatters it"
        return text + "."

    def _behind(self) -> str:
        folds, cells = len(self.made.per_fold), self.made.pairs
        text = f"{folds} fold{'s' if folds != 1 else ''}, {cells} {self.unit[cells != 1]}"
        if self.objects:
            text += f", {self.objects} defective test objects"
        if self.unpaired:
            text += f" ({self.unpaired} training{'s' if self.unpaired != 1 else ''} without a partner left out)"
        if self.made.single_seed:
            text += " (one seed: the interval knows nothing of training noise)"
        return text


@dataclass(frozen=True)
class SideBySide:
    """The figures of each arm, in the order in which arms are shown, and every comparison of two."""

    arms: Mapping[str, ArmFigures]
    comparisons: Sequence[Comparison]

    @property
    def over_none(self) -> dict[str, Comparison]:
        """The comparison with ``none`` of every arm that has one."""
        return {row.arm: row for row in self.comparisons if row.kind == NONE}

    def to_json(self) -> dict[str, object]:
        return {
            "order": list(self.arms),
            "arms": {arm: figures.to_json() for arm, figures in self.arms.items()},
            "comparisons": [row.to_json() for row in self.comparisons],
        }


@dataclass(frozen=True)
class SampleSize:
    """How many defective test objects show a difference of ``POINTS``: the median over arms, the range, and how many
    there are."""

    needed: int
    least: int
    most: int
    objects: int
    arms: int

    def to_json(self) -> dict[str, object]:
        return {
            "points": POINTS,
            "power": 0.8,
            "level": LEVEL,
            "needed": self.needed,
            "least": self.least,
            "most": self.most,
            "objects": self.objects,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        spread = f" ({self.least} to {self.most} by arm)" if self.arms > 1 else ""
        return (
            f"From the spread over test objects, showing a true difference of {POINTS * 100:.0f} points (80 % power, "
            f"5 % level) needs about {self.needed} defective test objects{spread}; there are {self.objects}. Training "
            "noise comes on top; only more seeds reduce it."
        )


def base_method(arm: str) -> str:
    """``METHOD`` of ``METHOD@VARIANT``."""
    return arm.partition("@")[0]


def arm_order(arm: str) -> tuple[int, str]:
    """``none`` first, then as in the table of methods, then by name."""
    known = [NONE, *METHODS]
    method = base_method(arm)
    return (known.index(method) if method in known else len(known)), arm


def by_arm(cells: Sequence[DrawnCell]) -> dict[str, list[DrawnCell]]:
    arms: dict[str, list[DrawnCell]] = {}
    for item in sorted(cells, key=lambda item: (arm_order(item.cell.arm), item.cell.fold, item.cell.seed)):
        arms.setdefault(item.cell.arm, []).append(item)
    return arms


def side_by_side(arms: ByArm, seed: int, stream: str = "main", unit: tuple[str, str] = PAIR) -> SideBySide:
    """The figures of each arm, and every comparison of two."""
    return SideBySide(
        {arm: arm_figures(cells, seed, stream) for arm, cells in arms.items()}, comparisons(arms, seed, unit)
    )


def categories_of(cells: Sequence[DrawnCell]) -> list[str]:
    return sorted({name for item in cells for name in item.per_category})


def arm_figures(cells: Sequence[DrawnCell], seed: int, stream: str) -> ArmFigures:
    """Of one arm's cells. Only ``map50``, chosen in advance, has intervals over objects and gets verdicts; the other
    metrics have one over seeds."""
    return ArmFigures(
        {metric: estimate(arm_terms(cells, metric=metric), seed, stream) for metric in METRICS},
        {name: estimate(arm_terms(cells, name), seed, stream) for name in categories_of(cells)},
        len(cells),
        sorted({item.cell.fold for item in cells}),
        sorted({item.cell.seed for item in cells}),
    )


def comparisons(arms: ByArm, seed: int, unit: tuple[str, str]) -> list[Comparison]:
    """Every arm against ``none`` (with Holm's correction over these), each of ``OURS`` against the best other arm and
    the paper's losses at the study's size, and ``METHOD@VARIANT`` against its method."""
    rows = [
        row
        for arm in arms
        if arm != NONE and NONE in arms
        if (row := compare(arms, arm, NONE, "none", seed, unit)) is not None
    ]
    adjusted = holm([row.made.p for row in rows])
    tested = sum(value is not None for value in adjusted)
    rows = [replace(row, p_holm=value, holm_of=tested) for row, value in zip(rows, adjusted, strict=True)]
    for arm in arms:
        method = base_method(arm)
        wanted = {
            "best_other": best_rival(arms, arm, seed) if method in OURS else None,
            "paper": PAPER if arm in OURS else None,
            "shared_pool": method,
        }
        rows += [
            row
            for kind, against in wanted.items()
            if against
            and against in arms
            and against != arm
            and (row := compare(arms, arm, against, kind, seed, unit)) is not None
        ]
    return rows


def best_rival(arms: ByArm, arm: str, seed: int) -> str | None:
    """The other arm of highest mean AP on the (fold, seed) cells that ``arm`` and all others have.

    Others are neither ``none`` nor of ``OURS``. Where no cell is common to all, only those with the most cells in
    common with ``arm`` are looked at. Picking the best by the very figures it is compared on flatters the rival:
    the comparison is conservative for ``arm``.
    """
    rivals = [name for name in arms if name != NONE and base_method(name) not in OURS]
    places = {name: {(item.cell.fold, item.cell.seed) for item in arms[name]} for name in (arm, *rivals)}
    common = set.intersection(*places.values())
    if not common:
        most = max((len(places[arm] & places[name]) for name in rivals), default=0)
        rivals = [name for name in rivals if most and len(places[arm] & places[name]) == most]
    means = {}
    for name in rivals:
        keep = common or places[arm] & places[name]
        made = estimate([t for t in arm_terms(arms[name]) if (t.fold, t.seed) in keep], seed)
        if made is not None:
            means[name] = made.interval.mean
    return max(means, key=lambda name: means[name]) if means else None


def compare(
    arms: ByArm, arm: str, against: str, kind: str, seed: int, unit: tuple[str, str] = PAIR
) -> Comparison | None:
    """``arm`` - ``against`` over the (fold, seed) pairs that both have; None where they have none.

    Args:
        arms: the cells of every arm.
        arm: the arm compared.
        against: the one it is compared with.
        kind: why these two.
        seed: of the draws.
        unit: what the sentence calls one cell against another, one and several.

    Returns:
        The difference with its interval.
    """
    first, second = arm_terms(arms[arm]), arm_terms(arms[against])
    made = estimate(paired_terms(first, second), seed)
    if made is None:
        return None
    places = {(term.fold, term.seed) for term in first}, {(term.fold, term.seed) for term in second}
    objects = defective_objects(arms[arm], made)
    needed = objects_needed(made.sd_objects, objects, POINTS) if made.sd_objects is not None and objects else None
    other = {
        metric: estimate(
            paired_terms(arm_terms(arms[arm], metric=metric), arm_terms(arms[against], metric=metric)), seed
        )
        for metric in METRICS
        if metric != "map50"
    }
    return Comparison(
        arm,
        against,
        kind,
        made,
        len(places[0] ^ places[1]),
        objects,
        needed,
        {
            name: estimate(paired_terms(arm_terms(arms[arm], name), arm_terms(arms[against], name)), seed)
            for name in categories_of(arms[arm])
        },
        {metric: of.over_seeds for metric, of in other.items() if of is not None},
        unit,
    )


def defective_objects(cells: Sequence[DrawnCell], made: Estimate) -> int:
    """How many test objects with a defect stand behind an estimate: the sum over its folds."""
    per_fold = {
        item.cell.fold: sum(
            any(m.positives[unit] for m in item.cell.matches.values()) for unit in range(len(item.cell.objects))
        )
        for item in cells
        if item.cell.fold in made.per_fold
    }
    return sum(per_fold.values())


def sample_size(rows: Sequence[Comparison]) -> SampleSize | None:
    """From the comparisons with ``none``; None where the spread over objects is not known for any."""
    known = [row for row in rows if row.kind == NONE and row.objects_needed is not None]
    needed = [row.objects_needed for row in known if row.objects_needed is not None]
    if not needed:
        return None
    middle, objects = round(statistics.median(needed)), max(row.objects for row in known)
    return SampleSize(middle, min(needed), max(needed), objects, len(needed))


def signed(interval: Interval) -> str:
    """``+0.120 [+0.030, +0.210]``."""
    if interval.low is None or interval.high is None:
        return f"{interval.mean:+.3f}"
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
