"""The gate's decisions, candidate by candidate, as ``decisions.jsonl`` holds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..folders import StageFolder
from ..tables import Table, table

KEPT = 4000


@dataclass(frozen=True)
class Refused:
    """A candidate that was refused: its pool item, why, and its picture below the gate's folder (if it has pixels)."""

    pool_item: str
    reason: str
    file: str | None


@dataclass
class Decisions:
    """``refused_at_once``: pool items whose first candidate, the one ``generate`` wrote, was refused."""

    refused_at_once: set[str] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(fault code, category) → candidates; one refused for two faults counts under both."""
    example: dict[str, str] = field(default_factory=dict)
    """Fault code → the first reason given under it."""

    def reasons(self) -> Table | None:
        rows = [
            [code, self.example[code], category, number]
            for (code, category), number in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        ]
        return table(["fault", "for example", "category", "candidates"], rows, "Reasons of refusal") if rows else None


def read_decisions(gate: StageFolder | None) -> Decisions:
    """All decisions of a gate; none where it has not run. A row without a verdict counts as refused."""
    decisions = Decisions()
    for row in gate.json_lines("decisions.jsonl") if gate else ():
        if row.get("accepted") is not True:
            _note(decisions, row)
    return decisions


def _note(decisions: Decisions, row: dict[str, Any]) -> None:
    item = str(row.get("pool_item", ""))
    findings = [finding for finding in row.get("findings") or [] if isinstance(finding, dict)]
    if not row.get("attempt") and not row.get("spare"):
        decisions.refused_at_once.add(item)
    for finding in findings:
        code = str(finding.get("code", "?"))
        decisions.counts[code, item.partition("/")[0]] += 1
        decisions.example.setdefault(code, str(finding.get("reason", "")))
    if len(decisions.refused) < KEPT:
        reason = "; ".join(f"{finding.get('code')}: {finding.get('reason')}" for finding in findings)
        decisions.refused.append(Refused(item, reason or "no reason recorded", row.get("file")))
