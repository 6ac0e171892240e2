"""Can a probe tell the generated defects from the real ones?"""

from __future__ import annotations

import numpy as np

from ....metrics.two_sample import describe
from ....metrics.two_sample import two_sample as probe
from ..results import MetricResult
from .data import CategoryData

WARN = 0.75
"""AUROC from which on, by the lower end of its interval, it is worth a word."""


def measure(data: CategoryData) -> MetricResult | None:
    """AUROC of a classifier real against generated on objects it has not seen, with its interval over objects; a
    generated defect belongs to the object whose mask or texture it has, so that the probe is never asked about copies
    of what it has learned."""
    if not data.made:
        return None
    sides = [[defect for defect in side if defect.window.mask_01.any()] for side in (data.real, data.made)]
    if not all(sides):
        return None
    rows = np.stack([describe(defect.window.pixels, defect.window.mask_01) for side in sides for defect in side])
    truth = np.repeat([0, 1], [len(side) for side in sides])
    found = probe(rows, truth, [defect.origin for side in sides for defect in side], data.rng("two_sample"))
    if found is None:
        return None
    telling = found.low > WARN
    words = f"a probe tells them from real ones (AUROC {found.auroc:.2f}, {found.low:.2f} to {found.high:.2f})"
    return MetricResult(
        "two_sample",
        "warn" if telling else "pass",
        words if telling else "",
        round(found.auroc, 4),
        0.5,
        WARN,
        detail={"low": round(found.low, 4), "high": round(found.high, 4)},
    )
