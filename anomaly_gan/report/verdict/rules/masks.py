"""What is wrong with the masks: direction, size, place."""

from __future__ import annotations

from collections.abc import Iterator

from ....synthesis.gate.results import MetricResult
from ..advice import Advice
from ..facts import CategoryFacts, Facts


def told(facts: Facts, metric: str) -> Iterator[tuple[CategoryFacts, MetricResult]]:
    """The categories in which the gate's metric warns or fails."""
    for category in facts.categories:
        found = category.metric(metric)
        if found is not None and found.level in ("warn", "fail"):
            yield category, found


def direction(facts: Facts) -> list[Advice]:
    return [
        Advice(
            "direction",
            category.name,
            f"{_share(found.value)} of the masks stand further from the usual direction than any real "
            f"{category.name} ({found.detail['high']:.0f}°)",
            f"set pool.rules.{category.name}.rotation: {found.detail['rotation']}"
            if len(facts.categories) > 1
            else f"set pool.rotation: {found.detail['rotation']}",
        )
        for category, found in told(facts, "direction")
    ]


def size(facts: Facts) -> list[Advice]:
    return [
        Advice(
            "size",
            category.name,
            f"{_share(found.value)} of the masks are smaller or larger than any real {category.name} "
            f"({found.detail['low_px']} to {found.detail['high_px']} px)",
            f"set pool.rules.{category.name}.area_px: [{found.detail['low_px']}, {found.detail['high_px']}]",
        )
        for category, found in told(facts, "size")
    ]


def place(facts: Facts) -> list[Advice]:
    settings = facts.pool.get("place") or {}
    remedy = "set pool.place.strategy: prior and pool.place.share: 1.0"
    if settings.get("strategy") == "prior" and settings.get("share") == 1.0:
        remedy = "mark where defects may lie with pool.place.regions"
    return [
        Advice(
            "place",
            category.name,
            f"{_share(found.value)} of the masks lie where no real {category.name} lies",
            remedy,
        )
        for category, found in told(facts, "place")
    ]


def _share(value: float | None) -> str:
    return "half" if value is not None and 0.47 <= value <= 0.53 else f"{value or 0:.0%}"
