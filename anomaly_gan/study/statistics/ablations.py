"""What each ablation does: variants of a training set against ``main``, figure by figure, paired.

A unit is one training: a fold and a repeat (another seed of the generator). A unit's difference to ``main`` is the mean
over the categories (for AP: the detector trainings) that both sides have, so that a category that one of them could
not be evaluated on favours neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from detection.evaluation.statistics import Interval, t_interval, verdict

from ..config import MAIN
from .ablated import AblatedFigure, Ablations, Change, Variant
from .gates import GateFigures
from .verdicts import NO_DIFFERENCE, holm, holm_verdict

POOL_LEVEL = 0.25
"""Folds count as alike, and all trainings as one sample, where an F-test at this level does not tell them apart."""

Unit = tuple[int, int]
"""(fold, repeat)"""


@dataclass(frozen=True)
class Aim:
    """A figure: where it stands among the gate's (nowhere: among the cells'), and which way is better.

    ``gate``: the parts of the name that :func:`.gates.gate_figures` gives it; a kind of distance (``kernel``) stands
    for the name that the gate gave it.

    ``one``: the nearer to 1 the better. ``primary``: chosen in advance; the verdict looks at these alone.
    """

    name: str
    title: str
    gate: tuple[str, ...]
    better: Literal["lower", "higher", "one"]
    primary: bool = False

    def distance(self, value: float) -> float:
        """The figure as what is compared: how far from 1 it is, or itself."""
        return abs(value - 1) if self.better == "one" else value

    def gain(self, difference: Interval) -> Interval:
        """A difference of what is compared, with better upwards."""
        if self.better == "higher":
            return difference
        if difference.low is None or difference.high is None:
            return Interval(-difference.mean, None, None)
        return Interval(-difference.mean, -difference.high, -difference.low)


AIMS = (
    Aim("kid", "defect KID over its 95th real percentile", ("defect", "kernel", "over p95"), "lower", True),
    Aim("fid", "defect FID ratio", ("defect", "frechet", "ratio"), "lower"),
    Aim("crop_kid", "crop KID over its 95th real percentile", ("crop", "kernel", "over p95"), "lower"),
    Aim("crop_fid", "crop FID ratio", ("crop", "frechet", "ratio"), "lower"),
    Aim("diversity", "LPIPS diversity ratio", ("defect", "perceptual", "diversity"), "one"),
    # Before anything was rejected: among the accepted alone a gate that rejects more looks like a better generator.
    Aim(
        "label_check",
        "median IoU of the label check at the first attempt",
        ("label_check", "median_at_first"),
        "higher",
        True,
    ),
    Aim(
        "label_iou_gap",
        "label check of the accepted less that of unseen real defects",
        ("label_check", "difference"),
        "higher",
    ),
    Aim("empty", "empty share at the first attempt", ("label_check", "empty_share"), "lower"),
    Aim("copies", "copied share", ("copies", "share"), "lower"),
    Aim("at_once", "accepted at once", ("accepted at once",), "higher"),
    Aim("ap50", "mask AP@0.5", (), "higher", True),
)
ABLATION_COLUMNS = (
    "arm",
    "variant",
    "changed",
    "figure",
    "title",
    "primary",
    "better",
    "mean",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "verdict",
    "verdict_holm",
    "folds",
    "trainings",
    "pairs",
    "sample",
)


@dataclass(frozen=True)
class Trained:
    """What one training of an arm came to. ``figures``: name of an aim -> by category, or by detector training."""

    variant: str
    fold: int
    repeat: int
    arm: str
    figures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Spread:
    """A mean with its interval over trainings; ``sample``: what counted as one draw."""

    interval: Interval
    p: float | None
    sample: str


def gate_aims(gates: Iterable[GateFigures]) -> dict[str, dict[str, float]]:
    """Of one arm's gates the aims' figures, by category."""
    found: dict[str, dict[str, float]] = {}
    for item in gates:
        for aim in AIMS:
            value = item.figures.get(" ".join(item.names.get(part, part) for part in aim.gate))
            if value is not None:
                found.setdefault(aim.name, {})[item.category] = value
    return found


def spread(values: Mapping[Unit, float]) -> Spread:
    """The mean over folds of the mean over repeats, its 95 % interval, and the p of a mean of zero.

    Where folds differ by more than their repeats explain (F-test at ``POOL_LEVEL``; Bancroft 1964, Biometrics 20(3)),
    a fold is one draw, else every training is. Folds share most of their training photographs: the interval tells of
    other folds and seeds, not of other data.
    """
    by_fold: dict[int, list[float]] = defaultdict(list)
    for (fold, _), value in sorted(values.items()):
        by_fold[fold].append(value)
    means = [float(np.mean(row)) for row in by_fold.values()]
    repeated = any(len(row) > 1 for row in by_fold.values())
    sample = means if repeated and len(means) > 1 and _apart(list(by_fold.values())) else list(values.values())
    middle, around = float(np.mean(means)), t_interval(sample)
    if around.low is None or around.high is None:
        return Spread(Interval(middle, None, None), None, "one training")
    half = (around.high - around.low) / 2
    error = float(np.std(sample, ddof=1) / np.sqrt(len(sample)))
    p = float(2 * stats.t.sf(abs(middle) / error, len(sample) - 1)) if error > 0 else float(middle == 0)
    return Spread(Interval(middle, middle - half, middle + half), p, "folds" if sample is means else "trainings")


def _apart(groups: Sequence[Sequence[float]]) -> bool:
    """Whether the means of groups differ by more than the spread within them explains."""
    count = sum(map(len, groups))
    whole = float(np.mean([value for row in groups for value in row]))
    within = sum(float(np.var(row)) * len(row) for row in groups) / (count - len(groups))
    between = sum(len(row) * (float(np.mean(row)) - whole) ** 2 for row in groups) / (len(groups) - 1)
    if within == 0:
        return between > 0
    return bool(stats.f.sf(between / within, len(groups) - 1, count - len(groups)) < POOL_LEVEL)


def ablation_study(trained: Sequence[Trained], changed: Mapping[str, str]) -> Ablations | None:
    """Every variant of ``changed`` (name -> what it changes) and ``main``, arm by arm; None where nothing was trained.

    Holm's correction counts the variants of one arm and figure.
    """
    arms = {}
    for arm in sorted({item.arm for item in trained}):
        own: dict[str, dict[Unit, Trained]] = defaultdict(dict)
        for item in trained:
            if item.arm == arm and item.variant in (MAIN, *changed):
                own[item.variant][item.fold, item.repeat] = item
        if MAIN in own and len(own) > 1:
            arms[arm] = _arm(own, {name: text for name, text in changed.items() if name in own})
    return Ablations(arms) if arms else None


def _arm(own: Mapping[str, Mapping[Unit, Trained]], changed: Mapping[str, str]) -> list[Variant]:
    rows = {
        name: {aim.name: figure for aim in AIMS if (figure := _figure(aim, own[name], own[MAIN], name != MAIN))}
        for name in (MAIN, *changed)
    }
    for aim in AIMS:
        _correct({name: rows[name] for name in changed if aim.name in rows[name]}, aim.name)
    main = Variant(MAIN, "", len(own[MAIN]), rows[MAIN])
    return [main, *(_variant(name, text, len(own[name]), rows[name]) for name, text in changed.items())]


def _correct(rows: Mapping[str, dict[str, AblatedFigure]], aim: str) -> None:
    """Put Holm's correction over the variants into the changes of one figure."""
    found = {name: change for name, figures in rows.items() if (change := figures[aim].change)}
    for (name, change), value in zip(found.items(), holm([change.p for change in found.values()]), strict=True):
        corrected = replace(change, p_holm=value, verdict_holm=holm_verdict(change.verdict, value))
        rows[name][aim] = replace(rows[name][aim], change=corrected)


def _variant(name: str, text: str, trainings: int, figures: Mapping[str, AblatedFigure]) -> Variant:
    changes = {aim: figure.change for aim, figure in figures.items() if figure.change}
    row = Variant(
        name,
        text,
        trainings,
        figures,
        overall({aim: change.verdict for aim, change in changes.items()}),
        overall({aim: change.verdict_holm for aim, change in changes.items()}),
    )
    return replace(row, sentence=_sentence(row))


def _figure(aim: Aim, own: Mapping[Unit, Trained], main: Mapping[Unit, Trained], pair: bool) -> AblatedFigure | None:
    values = {
        unit: float(np.mean(list(found.values())))
        for unit, item in own.items()
        if (found := item.figures.get(aim.name))
    }
    if not values:
        return None
    differences = {
        unit: value for unit in own if unit in main and (value := _difference(aim, own[unit], main[unit])) is not None
    }
    change = None
    if pair and differences:
        made = spread(differences)
        word = verdict(aim.gain(made.interval))
        change = Change(made.interval, len(differences), made.p, made.sample, word)
    return AblatedFigure(spread(values).interval, len(values), len({fold for fold, _ in values}), change)


def _difference(aim: Aim, item: Trained, main: Trained) -> float | None:
    first, second = item.figures.get(aim.name, {}), main.figures.get(aim.name, {})
    common = sorted(first.keys() & second.keys())
    if not common:
        return None
    return float(np.mean([aim.distance(first[name]) - aim.distance(second[name]) for name in common]))


def overall(verdicts: Mapping[str, str | None]) -> str:
    """One word on an ablation from the verdicts of its primary figures (by name of an aim): better or worse where none
    of them says the opposite."""
    said = {verdicts.get(aim.name) for aim in AIMS if aim.primary}
    if {"better", "worse"} <= said:
        return "better and worse"
    return next((word for word in ("better", "worse") if word in said), NO_DIFFERENCE)


def _sentence(row: Variant) -> str:
    heads = {
        "better": "better than main",
        "worse": "worse than main",
        "better and worse": "better than main in one figure and worse in another",
    }
    parts = []
    for aim in AIMS:
        figure = row.figures.get(aim.name)
        if aim.primary and figure and figure.change:
            parts.append(f"{aim.title} {_signed(figure.change.interval)}")
    pairs = max((figure.change.pairs for figure in row.figures.values() if figure.change), default=0)
    text = f"{row.variant} ({row.changed}): {heads.get(row.verdict or '', 'no difference to main shown')}"
    text += f": {', '.join(parts)}, over {pairs} pair{'s' if pairs != 1 else ''} of trainings" if parts else ""
    if row.verdict != NO_DIFFERENCE and row.verdict_holm != row.verdict:
        text += "; not after Holm's correction for the number of variants"
    return text + "."


def _signed(value: Interval) -> str:
    bounds = "" if value.low is None else f" [{value.low:+.3f}, {value.high:+.3f}]"
    return f"{value.mean:+.3f}{bounds}"


def ablation_rows(found: Ablations | None) -> list[dict[str, object]]:
    """Rows of ``ablations.csv``, columns ``ABLATION_COLUMNS``: a row per arm, variant and figure."""
    return [
        _row(arm, variant, aim, variant.figures[aim.name])
        for arm, variants in (found.arms if found else {}).items()
        for variant in variants
        for aim in AIMS
        if aim.name in variant.figures
    ]


def _row(arm: str, variant: Variant, aim: Aim, figure: AblatedFigure) -> dict[str, object]:
    change = figure.change
    difference = change.interval if change else None
    return {
        "arm": arm,
        "variant": variant.variant,
        "changed": variant.changed,
        "figure": aim.name,
        "title": aim.title,
        "primary": aim.primary,
        "better": aim.better,
        **figure.level.to_json(),
        "difference": difference.mean if difference else None,
        "difference_low": difference.low if difference else None,
        "difference_high": difference.high if difference else None,
        "folds": figure.folds,
        "trainings": figure.trainings,
        "p": change.p if change else None,
        "p_holm": change.p_holm if change else None,
        "verdict": change.verdict if change else None,
        "verdict_holm": change.verdict_holm if change else None,
        "pairs": change.pairs if change else None,
        "sample": change.sample if change else None,
    }
