"""What is wrong with the painting: tone, colour, look, variety, labels, and what was refused."""

from __future__ import annotations

from ....synthesis.gate.results import MetricResult
from ..advice import Advice
from ..facts import CategoryFacts, Facts
from .masks import told

WELL_TRAINED = 2000
"""Steps below which more of them is the first remedy for what a generator paints."""
SAID_ELSEWHERE = frozenset(
    {"accepted", "defects", "diversity", "tone", "colour", "label", "empty", "copies"}
    | {"direction", "size", "place", "crops", "photographs"}
)
"""Metrics that have a rule of their own; :func:`others` speaks for the rest."""


def remedy(facts: Facts) -> str:
    """More steps where there were few; where there were enough, or nothing learns, another method."""
    if facts.training is not None and facts.training.steps < WELL_TRAINED:
        if facts.training.ended_by == "time":
            return f"train longer than the {facts.training.steps} steps that the time allowed"
        return f"train longer than {facts.training.steps} steps (train.steps: {WELL_TRAINED})"
    if facts.training is not None:
        return "look at its sheet, and compare with another method in compare.arms"
    return "leave this arm out of compare.arms, or compare with one that paints, such as anomaly_gan"


def tone(facts: Facts) -> list[Advice]:
    found = []
    for category, metric in told(facts, "tone"):
        shift = float(metric.detail["shift"])
        cause = (
            f"painted tone {abs(shift):.0f} levels {'brighter' if shift > 0 else 'darker'} than real"
            if abs(shift) >= 1
            else f"painted tone varies more than any real {category.name}"
        )
        found.append(Advice("tone", category.name, cause, remedy(facts)))
    return found


def colour(facts: Facts) -> list[Advice]:
    found = []
    for category, metric in told(facts, "colour"):
        a, b = float(metric.detail["shift_a"]), float(metric.detail["shift_b"])
        towards = ("red" if a > 0 else "green") if abs(a) >= abs(b) else ("yellow" if b > 0 else "blue")
        found.append(
            Advice("colour", category.name, f"painted with a tinge of {towards} no real one has", remedy(facts))
        )
    return found


def look(facts: Facts) -> list[Advice]:
    return [
        Advice(
            "look",
            category.name,
            f"generated defects differ from real ones {metric.value:.1f} times as much as real ones of other parts do"
            + _of_pasted(metric)
            if metric.value is not None
            else "how far generated defects are from real ones cannot be measured",
            remedy(facts),
        )
        for category, metric in told(facts, "defects")
    ]


def _of_pasted(metric: MetricResult) -> str:
    """Where real defects pasted on other parts lie further off than real ones, what they came to."""
    pasted = metric.detail.get("pasted")
    return (
        f" (real ones pasted on other parts {pasted:.1f} times, so up to {metric.limit:.1f} passes)" if pasted else ""
    )


def variety(facts: Facts) -> list[Advice]:
    return [
        Advice(
            "variety",
            category.name,
            f"generated defects are {metric.value or 0:.0%} as unlike each other as real ones",
            "raise pool.count for more masks, or set train_methods.anomaly_gan.mode_seeking: 0.05",
        )
        for category, metric in told(facts, "diversity")
    ]


def refused(facts: Facts) -> list[Advice]:
    """Nothing, or too little, was accepted: by what most were refused."""
    found = []
    for category, _ in told(facts, "accepted"):
        counts = category.gate.counts if category.gate else None
        if counts is None:
            continue
        cause = f"{counts.accepted} of {counts.wanted} wanted photographs passed"
        found.append(Advice("refused", category.name, cause, _by_reason(category, facts)))
    return found


def _by_reason(category: CategoryFacts, facts: Facts) -> str:
    reasons = dict(category.gate.counts.reasons) if category.gate else {}
    worst = max(reasons, key=lambda code: reasons[code], default="")
    if worst == "H7":
        return f"most changed too little to be a defect; {remedy(facts)}"
    if worst == "H6":
        return "most repeat a training photograph or defect; label more parts, or set gate.reject_copies: false"
    if worst in ("B7", "B8", "B9"):
        return "most masks are too small or too large; set pool.min_area_px, pool.scale or pool.max_area_share"
    return "the report's section Gates names the reasons"


def labels(facts: Facts) -> list[Advice]:
    found = [
        Advice(
            "labels",
            category.name,
            f"a segmenter finds generated defects under their masks less well than real ones "
            f"({metric.value or 0:.2f} against {metric.reference or 0:.2f})",
            remedy(facts),
        )
        for category, metric in told(facts, "label")
    ]
    found += [
        Advice("labels", category.name, f"under {metric.value or 0:.0%} of the masks no defect is found", remedy(facts))
        for category, metric in told(facts, "empty")
    ]
    return found


def copies(facts: Facts) -> list[Advice]:
    return [
        Advice("copies", category.name, metric.sentence, "label more parts, so that there is more to learn from")
        for category, metric in told(facts, "copies")
    ]


def around(facts: Facts) -> list[Advice]:
    """Crops and whole photographs: only where the defects themselves pass, else :func:`look` has said it."""
    found = []
    for name, words in (("crops", "the surroundings of generated defects"), ("photographs", "whole photographs")):
        for category, _ in told(facts, name):
            defects = category.metric("defects")
            if defects is None or defects.level == "pass":
                cause = f"{words} differ from those of real defects though the defects themselves do not"
                remedy = "masks lie on other parts or places than real ones: check pool.place and data.normal"
                found.append(Advice("around", category.name, cause, remedy))
    return found


def others(facts: Facts) -> list[Advice]:
    """Metrics that no rule speaks for, in the gate's own words."""
    return [
        Advice("others", category.name, metric.sentence, remedy(facts))
        for category in facts.categories
        if category.gate
        for name, metric in category.gate.metrics.items()
        if metric.level in ("warn", "fail") and name not in SAID_ELSEWHERE
    ]
