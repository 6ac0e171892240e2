"""Are generated defects brighter or darker against what is around them than any real one?"""

from __future__ import annotations

import cv2
import numpy as np

from ....core.channels import one_channel
from ..defects import Defect, known
from ..results import MetricResult
from .data import CategoryData
from .spread import spread

RING_PX = (3, 12)
"""The surroundings a defect is compared with begin and end at these distances from its mask."""


def measure(data: CategoryData) -> MetricResult | None:
    """Mean inside the mask minus mean of a ring around it, in grey levels."""
    found = spread(data.real_defects.values("tone", data.name, tone), known(data.made, tone))
    if found is None:
        return None
    shift = found.made_median - found.real_median
    level = found.level(data.config)
    words = (
        f"painted {abs(shift):.0f} grey levels {'brighter' if shift > 0 else 'darker'} than real in the median; "
        f"{found.outside:.0%} outside everything real ({found.low:+.0f} to {found.high:+.0f})"
    )
    return MetricResult(
        "tone",
        level,
        words if level != "pass" else "",
        found.outside,
        found.expected,
        data.config.fail_outside,
        detail={**found.to_json(), "shift": round(shift, 2)},
    )


def tone(defect: Defect) -> float | None:
    """None where the defect fills its photograph."""
    window = defect.window
    gray = one_channel(window.pixels)
    ring = around(window.mask_01, window.others_01)
    if not ring.any() or not window.mask_01.any():
        return None
    return float(gray[window.mask_01 != 0].mean() - gray[ring].mean())


def around(mask_01: np.ndarray, others_01: np.ndarray) -> np.ndarray:
    """The ring (h, w) of ``RING_PX`` around the mask, without other defects; bool."""
    outside = cv2.distanceTransform((mask_01 == 0).astype(np.uint8), cv2.DIST_L2, 5)
    return (outside > RING_PX[0]) & (outside <= RING_PX[1]) & (others_01 == 0)
