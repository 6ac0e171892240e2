"""From a category's metrics to a verdict and one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.time_budget import TimeBudget
from .category_metrics import CATEGORY_METRICS, measure
from .category_metrics.data import CategoryData
from .results import CategoryResult, Level, MetricResult, worst

NOT_MEASURED = "time was over before its figures were measured"


def decide(data: CategoryData, watch: TimeBudget | None = None) -> CategoryResult:
    """Measure the category by every row of the table, and let the worst level stand.

    Raises:
        TimeUp: the time is over before the last row.
    """
    return _result(data, measure(data, watch=watch))


def undecided(data: CategoryData) -> CategoryResult:
    """Of a category that time left unmeasured: never a pass, and no fail but that nothing was accepted."""
    rows = tuple(row for row in CATEGORY_METRICS if row.name == "accepted")
    left = MetricResult("time", "too_few", NOT_MEASURED)
    return _result(data, {**measure(data, rows), "time": left})


def _result(data: CategoryData, metrics: Mapping[str, MetricResult]) -> CategoryResult:
    level = worst([item.level for item in metrics.values()])
    return CategoryResult(
        data.name, level, sentence(data, level, metrics), data.objects, data.counts, metrics, data.figures
    )


def sentence(data: CategoryData, level: Level, metrics: Mapping[str, MetricResult]) -> str:
    """``NAME: N accepted``, how close generated defects are to real ones, and whatever else is to be said."""
    parts = [f"{data.counts.accepted} accepted"] if data.counts.accepted else []
    if level == "too_few":
        parts.append(NOT_MEASURED if "time" in metrics else too_few(metrics))
    parts += [
        item.sentence
        for name, item in metrics.items()
        if item.sentence and (name == "defects" or item.level not in ("pass", "too_few"))
    ]
    return f"{data.name}: {'; '.join(dict.fromkeys(parts))}."


def too_few(metrics: Mapping[str, MetricResult]) -> str:
    """``too few to say (N of M objects)``."""
    short = [item for item in metrics.values() if item.level == "too_few" and item.need is not None]
    least = max(short, key=lambda item: (item.of == "objects", (item.need or 0) - (item.have or 0)))
    return f"too few to say ({least.have} of {least.need} {least.of})"
