"""A finished cell of a study of the lift: its ``result.json`` and its line of ``table.csv``, read and written here
alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from detection.evaluation.figures import Figures
from detection.training.report import TrainingReport


@dataclass(frozen=True)
class LiftRow:
    """A cell's line of the table; figures in [0, 1], None where undefined. ``objects``: a number, or ``all``."""

    dataset: str
    objects: int | str
    draw: int
    fold: int
    arm: str
    detector: str
    seed: int
    exposures: float
    ap50: float | None
    ap30: float | None
    pixel_ap: float | None
    miou: float | None
    auroc: float | None
    recall5: float | None

    def figure(self, name: str) -> float | None:
        """One of ``FIGURES``."""
        value: float | None = getattr(self, name)
        return value


COLUMNS = tuple(item.name for item in fields(LiftRow))
FIGURES = ("ap50", "ap30", "pixel_ap", "miou", "auroc", "recall5")


@dataclass(frozen=True)
class ProcessorSeconds:
    """Of the training alone, and of the whole cell."""

    training: float
    all: float


@dataclass(frozen=True)
class LiftResult:
    """``setting``: all that the figures depend on, as :func:`.cell.setting` gives it; ``artefact_auroc``: of the bank,
    by category, None without one; ``real_defective``: photographs with a defect that it learnt from. Cells of an
    older version have no word on ``artefact_auroc`` and ``precision``."""

    setting: Mapping[str, object]
    train_hash: str
    test_hash: str
    row: LiftRow
    figures: Figures
    report: TrainingReport
    artefact_auroc: Mapping[str, float | None] | None
    real_defective: int
    seconds: ProcessorSeconds
    wall_seconds: float
    precision: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "setting": self.setting,
            "train_hash": self.train_hash,
            "test_hash": self.test_hash,
            "row": asdict(self.row),
            "figures": self.figures.to_json(),
            "report": self.report.to_json(),
            "artefact_auroc": self.artefact_auroc,
            "real_defective": self.real_defective,
            "seconds": asdict(self.seconds),
            "wall_seconds": self.wall_seconds,
            **({} if self.precision is None else {"precision": self.precision}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LiftResult:
        """Raises KeyError or TypeError where the content is no cell's."""
        return cls(
            content["setting"],
            content["train_hash"],
            content["test_hash"],
            LiftRow(**content["row"]),
            Figures.from_json(content["figures"]),
            TrainingReport.from_json(content["report"]),
            content.get("artefact_auroc"),
            content["real_defective"],
            ProcessorSeconds(**content["seconds"]),
            content["wall_seconds"],
            content.get("precision"),
        )
