"""What is measured of a category as a whole, as a table. A new metric is one file here and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ....core.time_budget import TimeBudget, while_time
from ..results import Level, MetricResult
from . import (
    accepted,
    artefact,
    colour,
    direction,
    distance,
    diversity,
    label,
    outline,
    place,
    scene,
    size,
    tone,
    two_sample,
)
from .data import CategoryData


@dataclass(frozen=True)
class CategoryMetric:
    """A row of the table.

    ``function`` gives a result under the row's name, or None where it does not apply (gray photographs have no colour);
    its level is at most ``worst``. ``needs_objects``: it compares with real defects, so that below
    ``gate.verdict_objects`` real objects its level is ``too_few`` whatever it found, and below ``gate.verdict_n``
    accepted photographs where it would warn or fail: of two photographs one is half.
    """

    name: str
    function: Callable[[CategoryData], MetricResult | None]
    worst: Level = "fail"
    needs_objects: bool = True


CATEGORY_METRICS: tuple[CategoryMetric, ...] = (
    CategoryMetric("accepted", accepted.measure, needs_objects=False),
    CategoryMetric("defects", distance.defects),
    CategoryMetric("crops", distance.crops, "too_few"),
    CategoryMetric("photographs", distance.photographs, "too_few"),
    CategoryMetric("diversity", diversity.measure, "warn"),
    CategoryMetric("direction", direction.measure),
    CategoryMetric("size", size.measure),
    CategoryMetric("place", place.measure),
    CategoryMetric("tone", tone.measure),
    CategoryMetric("colour", colour.measure),
    CategoryMetric("outline", outline.outline, "warn"),
    CategoryMetric("grain", outline.grain, "warn"),
    CategoryMetric("rim", outline.rim, "warn"),
    CategoryMetric("scene", scene.measure),
    CategoryMetric("two_sample", two_sample.measure, "warn"),
    CategoryMetric("artefact", artefact.measure, "warn", needs_objects=False),
    CategoryMetric("label", label.found, "warn"),
    CategoryMetric("empty", label.empty, "warn"),
    CategoryMetric("copies", label.copies, "warn"),
)


def measure(
    data: CategoryData, metrics: tuple[CategoryMetric, ...] = CATEGORY_METRICS, watch: TimeBudget | None = None
) -> dict[str, MetricResult]:
    """Every metric that applies, by name.

    Raises:
        TimeUp: the time is over before the last one.
    """
    found = {}
    few, made = data.objects < data.config.verdict_objects, data.counts.accepted
    for row in while_time(metrics, watch):
        result = row.function(data)
        if result is None:
            continue
        if few and row.needs_objects:
            result = replace(result, level="too_few", have=data.objects, need=data.config.verdict_objects, of="objects")
        elif row.needs_objects and made < data.config.verdict_n and result.level in ("warn", "fail"):
            result = replace(result, level="too_few", have=made, need=data.config.verdict_n, of="photographs")
        found[row.name] = result
    return found
