"""What a training has measured of itself, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..core.tables import write_csv


@dataclass
class History:
    """Mean of every loss term over each logging interval, as rows for ``losses.csv``; ``steps`` taken, and what
    ended them: their number, the time budget, or a plateau."""

    rows: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    ended_by: Literal["steps", "time", "plateau"] = "steps"

    def add(self, values: dict[str, float]) -> None:
        self.pending.append(values)

    def close_interval(self, step: int) -> dict[str, float]:
        names = sorted({name for values in self.pending for name in values})
        means = {
            name: sum(v[name] for v in self.pending if name in v) / sum(name in v for v in self.pending)
            for name in names
        }
        self.pending = []
        self.rows.append({"step": float(step), **means})
        return means

    def write(self, path: Path) -> None:
        names = ["step", *sorted({name for row in self.rows for name in row if name != "step"})]
        write_csv(path, names, [[f"{row[name]:.6g}" if name in row else "" for name in names] for row in self.rows])
