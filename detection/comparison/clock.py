"""The time that a comparison may take, counted over all processes that have worked on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from anomaly_gan.core.files import write_json
from anomaly_gan.core.json_files import note_as
from anomaly_gan.core.stage import LOGS

FILE = Path(LOGS) / "spent.json"
SAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Used:
    """What a log says of the time of a comparison, or of one cell."""

    seconds: float


@dataclass
class Allowance:
    """``seconds`` of work in the folder ``out``; what was used before lies among its logs and goes on counting.

    Time between two processes does not count, nor do the last seconds before a kill.
    """

    seconds: float
    out: Path
    began: float = field(default_factory=time.monotonic)
    before: float = field(init=False)
    _saved: float = 0.0

    def __post_init__(self) -> None:
        used = note_as(self.out / FILE, Used)
        self.before = used.seconds if used else 0.0

    def spent(self) -> float:
        return self.before + time.monotonic() - self.began

    def over(self) -> bool:
        """Whether the time is up."""
        spent = self.spent()
        if spent - self._saved >= SAVE_SECONDS:
            self._saved = spent
            write_json(self.out / FILE, {"seconds": round(spent, 1)})
        return spent >= self.seconds
