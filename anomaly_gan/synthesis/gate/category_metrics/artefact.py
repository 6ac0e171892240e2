"""Does the compositing leave a trace, a defect or none? A detector would learn that instead of the defect."""

from __future__ import annotations

import math

from ....metrics.artefact import GOAL
from ..results import MetricResult
from .data import CategoryData

SURE = 1.645
"""Standard errors of an AUROC of 0.5 by which the goal must be exceeded (one-sided 95 %)."""


def measure(data: CategoryData) -> MetricResult | None:
    """AUROC of a probe, sound texture put in by the method against the same places untouched, on objects it has not
    seen; None where the gate did not ask, or there are too few objects. ``limit``: the goal of 0.55, and what so few
    pairs may exceed it by chance."""
    figures = data.figures.get("artefact") or {}
    value, pairs = figures.get("auroc"), figures.get("pairs", 0)
    if value is None or not pairs:
        return None
    limit = GOAL + SURE * math.sqrt((2 * pairs + 1) / (12 * pairs**2))
    low, high = figures.get("low", value), figures.get("high", value)
    words = (
        f"a probe sees where something was put in, a defect or none "
        f"(AUROC {value:.2f}, {low:.2f} to {high:.2f}, {pairs} pairs)"
    )
    seen = value > limit
    return MetricResult(
        "artefact",
        "warn" if seen else "pass",
        words if seen else "",
        value,
        0.5,
        round(limit, 4),
        detail={"pairs": pairs, "low": low, "high": high},
    )
