"""Do generated defects lie where no real one lies?"""

from __future__ import annotations

import numpy as np

from ..defects import Defect
from ..results import MetricResult
from .data import CategoryData
from .spread import nearest, spread


def measure(data: CategoryData) -> MetricResult | None:
    """Distance of each defect's centre to the nearest real one of another object, the photograph's sides as one."""
    if not data.made:
        return None
    real, made = nearest(
        [(defect.group, centre(defect)) for defect in data.real],
        [(defect.origin, centre(defect)) for defect in data.made],
    )
    found = spread(real, made, one_sided=True)
    if found is None:
        return None
    level = found.level(data.config)
    words = f"{found.above:.0%} lie further from every real place than real ones do from each other"
    return MetricResult(
        "place",
        level,
        words if level != "pass" else "",
        found.above,
        found.expected,
        data.config.fail_outside,
        detail=found.to_json(),
    )


def centre(defect: Defect) -> np.ndarray:
    """(x, y) of the box's centre as shares of width and height."""
    x, y, width, height = defect.annotation.bbox
    return np.array([(x + width / 2) / defect.image.width, (y + height / 2) / defect.image.height])
