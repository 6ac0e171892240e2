"""What became of a study's runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CheckFailed


@dataclass(frozen=True)
class Outcome:
    """What a study has now: ``summary`` is the content of ``summary.json``."""

    finished: int
    expected: int
    failures: list[dict[str, str]]
    written: list[str]
    summary: dict[str, Any]

    def check(self, out: Path) -> None:
        """Raises:
        CheckFailed: something failed; the message says what.
        """
        if self.failures:
            named = ", ".join(f"{row['run']} {row['what']}" for row in self.failures[:8])
            more = f" and {len(self.failures) - 8} more" if len(self.failures) > 8 else ""
            raise CheckFailed(
                f"study: failed: {named}{more}; why is in {out / 'failures.jsonl'}, the same command tries again"
            )
