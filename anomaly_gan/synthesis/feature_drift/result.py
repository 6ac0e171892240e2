"""What became of a generator's features in the course of its training: the content of ``features.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Distance:
    """A kernel distance to real defects: its mean and the 5th to 95th percentile over random halves of the objects."""

    mean: float | None
    p05: float | None
    p95: float | None


@dataclass(frozen=True)
class Snapshot:
    """A generator after ``step`` steps; ``kernel`` is None where there are too few crops for a distance."""

    step: int
    kernel: Distance | None
    diversity: float | None


@dataclass(frozen=True)
class CategoryDrift:
    """``n``: crops on either side of a distance; ``shown``: points of each kind in the layout; ``reason``: why there
    is no distance; ``real``: between real defects of different objects; ``layout``: by kind its points (x, y)."""

    n: int
    shown: int
    reason: str | None
    real: Distance | None
    normal: Distance | None
    snapshots: Sequence[Snapshot]
    layout: Mapping[str, Sequence[Sequence[float]]]

    def short_json(self) -> dict[str, object]:
        """For the stage's metrics: where the training began and where it came to."""
        whole = asdict(self)
        ends = {name: whole["snapshots"][at]["kernel"] for name, at in (("first", 0), ("last", -1))}
        return {name: whole[name] for name in ("n", "shown", "real")} | ends


@dataclass(frozen=True)
class Drift:
    """``kernel`` and ``diversity``: what the two figures are called; ``view``: what a crop shows."""

    kernel: str
    diversity: str
    view: str
    perplexity: float
    seed: int
    steps: Sequence[int]
    categories: Mapping[str, CategoryDrift]

    def to_json(self) -> dict[str, object]:
        return asdict(self)
