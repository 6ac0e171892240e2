"""Do generated defects end at their masks' outlines as real ones do, and does the surface's grain go on in them?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....core.channels import one_channel
from ....core.masks import grow
from ....metrics.seam import seam_score
from ...pairs.layer import grain as grain_of
from ..defects import Defect, known
from ..results import Level, MetricResult
from .data import CategoryData
from .spread import spread
from .tone import around

RIM_PX = 3
"""Width of the rim just outside the mask."""


def outline(data: CategoryData) -> MetricResult | None:
    """Gradient along the mask's outline over that of the surroundings (``metrics.seam``)."""
    return _compare(data, "outline", seam, "an outline that no real label has")


def grain(data: CategoryData) -> MetricResult | None:
    """Logarithm of the grain inside the mask over that of the ring around it."""
    return _compare(data, "grain", grain_ratio, "a grain against their surroundings that no real one has")


def rim(data: CategoryData) -> MetricResult | None:
    """Grey levels by which the rim just outside the mask is brighter than the ring beyond it."""
    return _compare(data, "rim", rim_tone, "a rim that no real one has")


def seam(defect: Defect) -> float | None:
    window = defect.window
    return seam_score(window.pixels, window.mask_01, window.others_01)


def grain_ratio(defect: Defect) -> float | None:
    window = defect.window
    ring, inside = around(window.mask_01, window.others_01), window.mask_01 != 0
    if not ring.any() or not inside.any():
        return None
    return float(np.log((grain_of(window.pixels, inside) + 0.5) / (grain_of(window.pixels, ring) + 0.5)))


def rim_tone(defect: Defect) -> float | None:
    window = defect.window
    near = _rim_of(window.mask_01) & (window.others_01 == 0)
    ring = around(window.mask_01, window.others_01)
    gray = one_channel(window.pixels)
    return float(gray[near].mean() - gray[ring].mean()) if near.any() and ring.any() else None


def _rim_of(mask_01: np.ndarray) -> np.ndarray:
    return (grow(mask_01, RIM_PX) != 0) & (mask_01 == 0)


def _compare(
    data: CategoryData, name: str, measure: Callable[[Defect], float | None], what: str
) -> MetricResult | None:
    found = spread(data.real_defects.values(name, data.name, measure), known(data.made, measure))
    if found is None:
        return None
    level: Level = "pass" if found.level(data.config) == "pass" else "warn"
    return MetricResult(
        name,
        level,
        f"{found.outside:.0%} have {what}" if level != "pass" else "",
        found.outside,
        found.expected,
        data.config.fail_outside,
        detail=found.to_json(),
    )
