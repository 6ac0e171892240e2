"""The content of a finished cell's ``result.json``, read and written here alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomaly_gan.core.files import write_json
from anomaly_gan.core.json_files import note_as, read_as, understood

from ..evaluation.figures import Figures
from ..training.report import TrainingReport

RESULT = "result.json"
OPTIONAL = ("n_real", "n_synthetic", "precision", "backbone", "versions", "begun_by")
"""What cells of an older version did not write."""
Versions = Mapping[str, str]


@dataclass(frozen=True)
class Cell:
    """Its coordinates; ``seed`` is the number in the table, the same for every arm."""

    arm: str
    detector: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.detector}-f{self.fold}-s{self.seed}"


@dataclass(frozen=True)
class CellResult:
    """What a cell was (``key``: the hash of everything it depends on), what it learnt from and what it came to.

    ``test_hash`` says which photographs judged it. What of ``OPTIONAL`` was not written is None.
    """

    cell: Cell
    key: str
    test_hash: str
    figures: Figures
    report: TrainingReport
    n_real: int | None = None
    n_synthetic: int | None = None
    precision: str | None = None
    backbone: str | None = None
    versions: Versions | None = None
    begun_by: Versions | None = None

    def column(self, name: str) -> str | float | None:
        """A column of ``table.csv``; None where undefined."""
        if name in ("arm", "detector", "seed", "fold"):
            place: str | int = getattr(self.cell, name)
            return place
        if name in ("n_real", "n_synthetic"):
            count: int | None = getattr(self, name)
            return count
        if name in ("shown_real", "shown_synthetic"):
            return self.report.shown(name.removeprefix("shown_"))
        return self.report.iterations if name == "iterations" else self.figures.figure(name)

    def to_json(self) -> dict[str, object]:
        return {
            **asdict(self.cell),
            "key": self.key,
            "test_hash": self.test_hash,
            **self.figures.to_json(),
            **self.report.to_json(),
            **{name: value for name in OPTIONAL if (value := getattr(self, name)) is not None},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CellResult:
        """Raises KeyError or TypeError where the content is no cell's."""
        return cls(
            Cell(content["arm"], content["detector"], content["fold"], content["seed"]),
            content["key"],
            content["test_hash"],
            Figures.from_json(content),
            TrainingReport.from_json(content),
            **{name: content.get(name) for name in OPTIONAL},
        )


def write_result(folder: Path, result: CellResult) -> None:
    write_json(folder / RESULT, result.to_json())


def read_result(path: Path) -> CellResult:
    """A cell's ``result.json``.

    Raises:
        InputError: FORMAT it cannot be read, or lacks what every cell has.
    """
    remedy = "delete the folder and run again"
    content = read_as(path, dict, remedy)
    with understood(path, remedy):
        return CellResult.from_json(content)


def key_of(path: Path) -> str:
    """The key in a ``result.json`` of whatever version, empty where there is none."""
    return str((note_as(path, dict) or {}).get("key", ""))  # another process may be removing it
