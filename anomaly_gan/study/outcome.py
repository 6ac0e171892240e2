"""What became of a study's runs: the content of ``STUDY/summary.json``, written here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import CheckFailed
from .statistics import Ablations, StudySummary


@dataclass(frozen=True)
class CellCount:
    """How much of a study is there. ``variants``: by variant how many cells are finished and expected; ``missing``:
    ``RUN/CELL``; ``made_under_other_settings``: finished, but not counted."""

    finished: int
    expected: int
    variants: Mapping[str, Mapping[str, int]]
    missing: Sequence[str]
    made_under_other_settings: int


@dataclass(frozen=True)
class Outcome:
    """What a study has now.

    ``mixed``: a sentence where its cells were made by different versions; ``ablations`` and ``quality``: None where
    nothing was varied or measured; ``written``: names of the files.
    """

    study: str
    summary: StudySummary
    cells: CellCount
    failures: Sequence[Mapping[str, str]]
    mixed: str | None = None
    ablations: Ablations | None = None
    quality: Ablations | None = None
    written: Sequence[str] = ()

    @property
    def sentences(self) -> list[str]:
        return [*self.summary.sentences, *([self.mixed] if self.mixed else [])]

    def to_json(self) -> dict[str, object]:
        parts = {"ablations": self.ablations, "quality": self.quality}
        return {
            **self.summary.to_json(),
            "sentences": self.sentences,
            "study": self.study,
            "failures": [dict(row) for row in self.failures],
            "cells": asdict(self.cells),
            **{name: part.to_json() for name, part in parts.items() if part},
        }

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
