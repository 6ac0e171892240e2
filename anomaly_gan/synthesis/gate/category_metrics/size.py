"""Are generated defects larger or smaller than any real one?"""

from __future__ import annotations

import math

from ..defects import Defect, known
from ..results import MetricResult
from .data import CategoryData
from .spread import spread


def measure(data: CategoryData) -> MetricResult | None:
    """Area of each defect in pixels, compared by its logarithm."""
    found = spread(data.real_defects.values("log_area", data.name, log_area), known(data.made, log_area))
    if found is None:
        return None
    low, high = round(math.exp(found.low)), round(math.exp(found.high))
    words = (
        f"{found.outside:.0%} are smaller or larger than any real one ({low} to {high} px): "
        f"{found.below:.0%} smaller, {found.above:.0%} larger"
    )
    level = found.level(data.config)
    return MetricResult(
        "size",
        level,
        words if level != "pass" else "",
        found.outside,
        found.expected,
        data.config.fail_outside,
        detail={**found.to_json(), "low_px": low, "high_px": high},
    )


def log_area(defect: Defect) -> float | None:
    return math.log(defect.annotation.area) if defect.annotation.area else None
