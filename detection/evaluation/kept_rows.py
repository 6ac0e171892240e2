"""Detections that a file of ours holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anomaly_gan.core.json_files import read_as

if TYPE_CHECKING:
    from .evaluate import DetectionRow

REMEDY = "delete its folder and run again"


@dataclass(frozen=True)
class _Row:
    image_id: int
    category_id: int
    score: float
    bbox: list[float]
    segmentation: Mapping[str, Any] | None = None

    def plain(self) -> DetectionRow:
        return cast("DetectionRow", {name: value for name, value in vars(self).items() if value is not None})


@dataclass(frozen=True)
class _Rows:
    rows: list[_Row]


def read_rows(path: Path) -> list[DetectionRow]:
    """``detections.json``: a list of COCO result rows, or an object with such a list as ``rows``.

    Raises:
        InputError: MISSING, FORMAT, A13: it is not there, cannot be understood, or has changed.
    """
    found = read_as(path, list[_Row] | _Rows, REMEDY)  # type: ignore[arg-type]
    return [row.plain() for row in (found.rows if isinstance(found, _Rows) else found)]
