"""A finished cell of a benchmark, as ``result.json`` holds it: written and read here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Cell:
    """``number``: the class, or the fold of an industrial set; ``normal``: how the table names it."""

    detector: str
    dataset: str
    protocol: str
    number: int
    normal: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.detector}-{self.dataset}-{self.protocol}-c{self.number}-s{self.seed}"


@dataclass(frozen=True)
class CellFigures:
    """None where undefined. ``f1`` has the normal images as the positive class, ``f1_abnormal`` the others;
    ``false_alarms``: share of the normal test images above ``threshold``; ``categories``: AUROC of the normal images
    against one kind of abnormal ones."""

    auroc: float | None
    aupr_in: float | None
    aupr_out: float | None
    f1: float | None = None
    f1_abnormal: float | None = None
    threshold: float | None = None
    false_alarms: float | None = None
    categories: Mapping[str, float | None] = field(default_factory=dict)

    def of(self, metric: str) -> float | None:
        value: float | None = getattr(self, metric)
        return value


@dataclass(frozen=True)
class CellResult:
    """``n_*``: images learned from, held out, tested, and how many of these are abnormal; ``epochs``: AUROC on the
    test set after each, where the paper picked one; ``versions`` that made it, and those that began it where others
    did."""

    cell: Cell
    figures: CellFigures
    key: str
    split: str
    settings: Mapping[str, object]
    precision: str
    n_train: int
    n_held_out: int
    n_test: int
    n_abnormal: int
    seconds: float
    train_seconds: float
    resumed: bool
    versions: Mapping[str, str]
    begun_by: Mapping[str, str] | None = None
    epochs: Sequence[tuple[int, float | None]] | None = None
    picked_epoch: int | None = None

    def to_json(self) -> dict[str, object]:
        content = {name: getattr(self, name) for name in OWN if name != "begun_by" or self.begun_by}
        return {**asdict(self.cell), **asdict(self.figures), **content}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CellResult:
        """Raises:
        KeyError: a figure is missing.
        """
        return cls(
            Cell(**{item.name: content[item.name] for item in fields(Cell)}),
            CellFigures(**{item.name: content[item.name] for item in fields(CellFigures)}),
            **{name: content[name] for name in OWN if name != "begun_by" or name in content},
        )


OWN = tuple(item.name for item in fields(CellResult) if item.name not in ("cell", "figures"))
