"""The gate's decisions per candidate, as ``decisions.jsonl`` holds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..folders import StageFolder


@dataclass(frozen=True)
class Decisions:
    """Verdict per candidate (file name → ``accepted`` / ``refused``), reasons of refusal, and their counts."""

    verdict_of: dict[str, str] = field(default_factory=dict)
    reason_of: dict[str, str] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(category, reason) → number of candidates; a candidate refused for two reasons counts under both."""
    by_category: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(category, verdict) → number of candidates."""


def read_decisions(gate: StageFolder | None) -> Decisions:
    """All decisions of a gate; none where it has not run."""
    decisions = Decisions()
    for row in gate.json_lines("decisions.jsonl") if gate else ():
        name = str(row.get("file_name") or row.get("file") or "")
        verdict = "accepted" if is_accepted(row) else "refused"
        reasons = reasons_of(row) if verdict == "refused" else []
        category = str(row.get("category", ""))
        decisions.verdict_of[name] = verdict
        decisions.by_category[category, verdict] += 1
        if verdict == "refused":
            decisions.reason_of[name] = "; ".join(reasons)
        for reason in reasons:
            decisions.reasons[category, reason] += 1
    return decisions


def is_accepted(row: dict[str, Any]) -> bool:
    """The verdict in any of the words a gate may use; a row without one is not accepted."""
    for key in ("accepted", "passed"):
        if key in row:
            return row[key] is True
    return row.get("decision", row.get("verdict")) in ("accepted", "accept", "passed", "pass")


def reasons_of(row: dict[str, Any]) -> list[str]:
    found = row.get("reasons") or row.get("reason") or row.get("failed") or "no reason recorded"
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]
