"""YOLO detection: the same text labels as ``yolo-seg``, boxes alone."""

from __future__ import annotations

from pathlib import Path

from ...core.dataset import Dataset
from ..source_tree import SourceTree
from . import yolo_seg

read_items = yolo_seg.read_items


def fits(tree: SourceTree) -> bool:
    """Never by itself: ``yolo-seg`` reads boxes and outlines alike."""
    return False


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """As ``yolo_seg.write``, with boxes."""
    return yolo_seg.write(dataset, out, boxes=True)
