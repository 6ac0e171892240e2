"""Early stop: a training ends where its quality no longer gets better, and what was best is kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor, nn

from ..core.tables import write_csv

Measure = Callable[[], dict[str, float]]
"""Figures by name; the first one is judged, and the lower it is, the better."""


@dataclass
class Plateau:
    """Measures every ``every`` steps and says stop after ``patience`` measurements without a better one.

    ``after``: nothing is measured in the first N steps, which teach something else. ``nets``: whose weights of
    the best measurement are kept. A figure that is not a number is never the best.
    """

    every: int
    patience: int
    measure: Measure
    nets: Callable[[], Mapping[str, nn.Module]]
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    kept: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    after: int = 0

    def due(self, step: int) -> bool:
        """Whether it is time to look, ``step`` steps having been taken."""
        return step > self.after and step % self.every == 0

    def look(self, step: int, fabric: Fabric) -> bool:
        """Measure after ``step`` steps; True where it is time to stop. The first process measures for all."""
        figures = fabric.broadcast(self.measure() if fabric.is_global_zero else {})
        name = next(iter(figures))
        self.rows.append({"step": float(step), **figures})
        if figures[name] < self.best.get(name, float("inf")):
            self.best = {"step": float(step), name: figures[name]}
            self.kept = {
                net: {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}
                for net, module in self.nets().items()
            }
        since = sum(row["step"] > self.best.get("step", 0.0) for row in self.rows)
        return since >= self.patience

    def finalize(self) -> None:
        """Give the nets back what was best."""
        for name, module in self.nets().items():
            if name in self.kept:
                module.load_state_dict(self.kept[name])

    def write(self, path: Path) -> None:
        """The curve, one row per measurement."""
        names = list(self.rows[0]) if self.rows else ["step"]
        write_csv(path, names, [[f"{row[name]:.6g}" for name in names] for row in self.rows])

    def state(self) -> dict[str, object]:
        """For a checkpoint: tensors and plain values."""
        return {"rows": self.rows, "best": self.best, "kept": self.kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.rows, self.best, self.kept = (copy.copy(state[name]) for name in ("rows", "best", "kept"))
