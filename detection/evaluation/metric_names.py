"""The names under which a cell's figures stand in tables and summaries."""

from __future__ import annotations

from collections.abc import Iterable

METRICS = ("map50", "map", "miou", "map50_box", "map_box", "image_recall_at_5", "image_auroc")
"""Figures that are averaged over seeds and compared between arms."""

TITLES = {
    "map50": "AP@0.5",
    "map": "COCO mAP",
    "miou": "mIoU",
    "map50_box": "box AP@0.5",
    "map_box": "box mAP",
    "image_recall_at_5": "recall at 5 % false alarms",
    "image_auroc": "image AUROC",
}

RECALL = {"image_recall_at_5": "0.05", "image_recall_at_10": "0.1", "image_recall_at_20": "0.2"}


def mean_figure(values: Iterable[float | None]) -> float | None:
    """Mean of the values that exist; None where none does."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
