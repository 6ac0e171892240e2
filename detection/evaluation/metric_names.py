"""The names under which a cell's figures stand in tables and summaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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


def figure(result: Mapping[str, Any], name: str) -> Any:
    """A column of the table from a cell's ``result.json``; None where it does not exist.

    ``image_recall_at_P`` lies under ``image_recall``; ``shown_real`` and ``shown_synthetic`` are how many times
    training showed a photograph of that source.
    """
    if name in RECALL:
        return (result.get("image_recall") or {}).get(RECALL[name])
    if name in ("shown_real", "shown_synthetic"):
        return _shown(result.get("exposure") or {}, name.removeprefix("shown_"))
    return result.get(name)


def mean_figure(values: Iterable[float | None]) -> float | None:
    """Mean of the values that exist; None where none does."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _shown(exposure: Mapping[str, Any], source: str) -> int | None:
    kinds = [row for kind, row in exposure.items() if kind.partition("_")[0] == source]
    if not exposure or any("shown" not in row for row in kinds):
        return None
    return sum(row["shown"] for row in kinds)
