"""Do segmenters trained on real defects find what the masks say, and is nothing a copy?"""

from __future__ import annotations

from ..results import Level, MetricResult
from .data import CategoryData


def found(data: CategoryData) -> MetricResult | None:
    """``warn`` where the median IoU lies below that of real defects; None where the gate asked for none."""
    if "label_check" not in data.figures:
        return None
    figures, gap = data.figures["label_check"], data.config.label_iou_gap
    value, reference, difference = figures["median"], figures["real_median"], figures["difference"]
    level: Level = "pass"
    words = ""
    if difference is None or not difference >= -gap:
        level = "warn"
        words = f"the label check's IoU is {_number(value)}, that of real defects {_number(reference)}"
    return MetricResult("label", level, words, value, reference, -gap)


def empty(data: CategoryData) -> MetricResult | None:
    """``warn`` where more accepted instances are not found than real ones, beyond ``max_empty``."""
    if "label_check" not in data.figures:
        return None
    figures = data.figures["label_check"]
    share, real = figures["accepted_empty_share"], figures["real_empty_share"]
    allowed = data.config.max_empty + (real or 0.0)
    if share is None or not share <= allowed:
        words = f"{_number(share)} of the accepted instances are not found, of real ones {_number(real)}"
        return MetricResult("empty", "warn", words, share, real, allowed)
    return MetricResult("empty", "pass", "", share, real, allowed)


def copies(data: CategoryData) -> MetricResult | None:
    """``warn`` where accepted defects are copies of training defects, or where too few objects are there to tell."""
    if "copies" not in data.figures:
        return None
    figures, config = data.figures["copies"], data.config
    if figures["threshold"] is None:
        words = f"with fewer than {config.min_objects} real objects neither empty defects nor copies can be told"
        return MetricResult("copies", "warn", words, have=data.objects, need=config.min_objects)
    if figures["accepted"] and config.reject_copies:
        words = f"{figures['accepted']} are copies of training defects"
        return MetricResult("copies", "warn", words, figures["accepted"], 0.0, 0.0)
    return MetricResult("copies", "pass", "", figures["accepted"], 0.0, 0.0)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
