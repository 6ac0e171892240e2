"""What stage ``choose`` has decided of a category and by which figures; read by the report, free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One method on one category: how many photographs were ``painted``, the share ``accepted`` by the gate's checks,
    and how well a probe tells the accepted from real ones (``auroc`` with its 95 % interval over objects; None where
    there are too few)."""

    method: str
    painted: int
    accepted: float
    auroc: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def told(self) -> float:
        """The AUROC, at least 0.5: below that a probe tells nothing either."""
        return max(0.5, self.auroc or 0.0)

    def to_json(self) -> dict[str, object]:
        return {key: round(item, 4) if isinstance(item, float) else item for key, item in asdict(self).items()}

    def words(self) -> str:
        if self.auroc is None or self.low is None or self.high is None:
            return f"{self.method} ({self.accepted:.0%} pass)"
        return f"{self.method} {self.auroc:.2f} ({self.low:.2f} to {self.high:.2f}; {self.accepted:.0%} pass)"


@dataclass(frozen=True)
class Choice:
    """What paints a category, a method's name or ``none``, the reason, and what was measured of each method (of none
    where the user has decided)."""

    category: str
    method: str
    why: str
    trials: tuple[Trial, ...] = ()

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"trials": [trial.to_json() for trial in self.trials]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Choice:
        trials = tuple(Trial(**trial) for trial in content["trials"])
        return cls(content["category"], content["method"], content["why"], trials)
