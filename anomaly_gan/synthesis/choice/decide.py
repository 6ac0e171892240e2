"""From what was measured of each method to one of them, or none, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..methods.best import NONE
from .config import ChooseConfig


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

    def to_json(self) -> dict[str, object]:
        return {key: round(item, 4) if isinstance(item, float) else item for key, item in asdict(self).items()}

    def words(self) -> str:
        if self.auroc is None or self.low is None or self.high is None:
            return f"{self.method} ({self.accepted:.0%} pass)"
        return f"{self.method} {self.auroc:.2f} ({self.low:.2f} to {self.high:.2f}; {self.accepted:.0%} pass)"


def decide(trials: Sequence[Trial], config: ChooseConfig) -> tuple[str, str]:
    """The method, or ``none``, and one sentence; ``trials`` in the order of ``config.methods``."""
    usable = [trial for trial in trials if trial.accepted >= config.least_accepted]
    compared = "; ".join(trial.words() for trial in trials)
    if not usable:
        return NONE, f"under {config.least_accepted:.0%} of every method's photographs pass the checks: {compared}"
    known = [trial for trial in usable if trial.auroc is not None]
    if not known:
        taken = max(usable, key=lambda trial: trial.accepted)
        return taken.method, f"too few objects for a probe, most pass the checks: {compared}"
    best = min(trial.auroc or 0.0 for trial in known)
    taken = next(trial for trial in known if (trial.auroc or 0.0) <= best + config.margin)
    return taken.method, f"a probe tells them from real ones least, AUROC: {compared}"
