"""The page of a benchmark: figures beside the paper's, ROC curves, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .config import BenchmarkConfig


def write_report(path: Path, config: BenchmarkConfig, results: Sequence[dict[str, Any]], folders: Sequence[Path],
                 summary: Sequence[dict[str, Any]]) -> None:
    """Nothing yet."""
