"""``table.csv``, ``summary.json``, ``curve.png`` and ``lift.png`` of a study of the lift, and its sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

from ...core.files import write_json
from ...core.tables import write_csv
from .config import LiftConfig
from .outcome import LiftSummary
from .plan import LiftCell
from .plots import write_curve, write_lift
from .result import COLUMNS, LiftResult
from .sheets import write_sheets
from .summary import summarise


def write_tables(
    config: LiftConfig,
    out: Path,
    done: Mapping[LiftCell, LiftResult],
    failed: Mapping[LiftCell, str],
    tried: int,
) -> LiftSummary:
    """Everything that is made of finished cells; the same cells give the same bytes."""
    cells = sorted(done, key=lambda cell: (cell.share.fold, cell.share.objects or 10**6, cell))
    rows = [done[cell].row for cell in cells]
    write_csv(out / "table.csv", COLUMNS, [astuple(row) for row in rows])
    summary = summarise(config, out, {cell: done[cell] for cell in cells}, tried, len(failed))
    write_json(out / "summary.json", summary.to_json())
    if cells:
        write_curve(out / "curve.png", summary.arms)
        write_lift(out / "lift.png", summary.lifts)
        write_sheets(out, cells, done)
    return summary
