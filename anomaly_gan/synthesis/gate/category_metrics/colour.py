"""Do generated defects differ in colour from what is around them as real ones do? Coloured photographs only."""

from __future__ import annotations

import cv2
import numpy as np

from ..defects import Defect
from ..results import MetricResult
from .data import CategoryData
from .spread import nearest, spread
from .tone import around


def measure(data: CategoryData) -> MetricResult | None:
    """Chroma (a, b of CIE Lab) inside minus around; each by its distance to the nearest real defect's."""
    if not data.made:
        return None
    real, made = (
        [(defect.origin, point) for defect in side if (point := chroma(defect)) is not None]
        for side in (data.real, data.made)
    )
    found = spread(*nearest(real, made), one_sided=True)
    if found is None:
        return None
    shift = np.median([point for _, point in made], axis=0) - np.median([point for _, point in real], axis=0)
    level = found.level(data.config)
    words = f"{found.above:.0%} have a colour that no real one has"
    return MetricResult(
        "colour",
        level,
        words if level != "pass" else "",
        found.above,
        found.expected,
        data.config.fail_outside,
        detail={**found.to_json(), "shift_a": round(float(shift[0]), 2), "shift_b": round(float(shift[1]), 2)},
    )


def chroma(defect: Defect) -> np.ndarray | None:
    """(a, b) of the defect minus that of the ring around it; None for a gray photograph, or without a ring."""
    window = defect.window
    ring, inside = around(window.mask_01, window.others_01), window.mask_01 != 0
    if window.pixels.ndim == 2 or not ring.any() or not inside.any():
        return None
    lab = cv2.cvtColor(window.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 1:]
    return lab[inside].mean(axis=0) - lab[ring].mean(axis=0)
