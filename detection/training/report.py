"""What a detector's training looked at: one value, read and written here alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..exposure import Exposure, Shown


@dataclass(frozen=True)
class HeldOut:
    """The part of the training side that an early stop looks at."""

    objects: int
    images_with_defect: int
    images_without: int


@dataclass(frozen=True)
class InnerReport:
    """An early stop: ``best`` is the kept look's figure and step (empty without one), ``ended_by`` what ended it."""

    held_out: HeldOut
    best: Mapping[str, float]
    ended_by: str


@dataclass(frozen=True)
class TrainingReport:
    """``dropped`` counts instances that the net cannot be shown; ``ended_by_time``: before its planned end."""

    exposure: Exposure
    dropped: Mapping[str, int] | None
    iterations: int | None
    ended_by_time: bool = False
    inner: InnerReport | None = None

    def shown(self, source: str) -> int | None:
        """How often photographs of a source (``real``, ``synthetic``) were shown; None where it was not counted."""
        counts = [row.shown for kind, row in self.exposure.items() if kind.partition("_")[0] == source]
        known = [count for count in counts if count is not None]
        return sum(known) if self.exposure and len(known) == len(counts) else None

    def to_json(self) -> dict[str, object]:
        return {
            "exposure": {kind: row.to_json() for kind, row in self.exposure.items()},
            **({} if self.dropped is None else {"dropped": dict(self.dropped)}),
            **({} if self.iterations is None else {"iterations": self.iterations}),
            **({"ended_by": "time"} if self.ended_by_time else {}),
            **({"inner": asdict(self.inner)} if self.inner else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrainingReport:
        """From :meth:`to_json`'s content, among whatever else; older versions counted less."""
        inner = content.get("inner")
        return cls(
            {kind: Shown.from_json(row) for kind, row in (content.get("exposure") or {}).items()},
            content.get("dropped"),
            content.get("iterations"),
            content.get("ended_by") == "time",
            InnerReport(HeldOut(**inner["held_out"]), inner["best"], inner["ended_by"]) if inner else None,
        )
