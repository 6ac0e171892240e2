"""Is there anything, and as much as was wanted?"""

from __future__ import annotations

from ..results import MetricResult
from .data import CategoryData


def measure(data: CategoryData) -> MetricResult:
    """``fail`` where nothing was accepted, ``warn`` at a shortfall."""
    counts = data.counts
    share = counts.accepted / counts.wanted if counts.wanted else 0.0
    if counts.accepted == 0:
        return MetricResult("accepted", "fail", f"none of {counts.tried} candidates was accepted", share)
    if counts.shortfall:
        words = f"{counts.shortfall} of {counts.wanted} wanted photographs are missing"
        return MetricResult("accepted", "warn", words, share)
    return MetricResult("accepted", "pass", "", share)
