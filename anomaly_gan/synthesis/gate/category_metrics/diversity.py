"""Are generated defects as unlike each other as real ones are?"""

from __future__ import annotations

from ..results import MetricResult
from .data import CategoryData


def measure(data: CategoryData) -> MetricResult | None:
    """``warn`` where pairs are less unlike than ``min_diversity`` of pairs of real ones; None without figures."""
    figures = (data.figures.get("defect") or {}).get(data.names.get("perceptual", ""))
    if figures is None:
        return None
    ratio, least = figures["pairs"]["ratio"], data.config.min_diversity
    if ratio is None or not ratio >= least:
        known = "unknown" if ratio is None else f"{ratio:.2f} of the real one"
        words = f"the diversity of generated defects is {known}"
        return MetricResult("diversity", "warn", words, ratio, 1.0, least)
    return MetricResult("diversity", "pass", "", ratio, 1.0, least)
