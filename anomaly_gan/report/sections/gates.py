"""What the gate measured, accepted and refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import ReportConfig
from ..folders import Run
from ..pictures import Album
from ..tables import Table, metric_tables, table
from .decisions import Decisions, read_decisions
from .generated import rejected_pictures


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, Any]]:
    """One entry per gated method."""
    found = []
    for method in run.methods("gate"):
        stage = run.stages[f"gate@{method}"]
        decisions = read_decisions(stage)
        found.append({
            "method": method,
            "passed": verdict(stage.metrics),
            "counts": count_table(decisions),
            "verdicts": [],
            "reasons": reason_table(decisions),
            "refused": rejected_pictures(run, method, album, config),
            "metrics": metric_tables(stage.metrics),
        })
    return found


def verdict(metrics: Mapping[str, Any]) -> bool | None:
    """The gate's own verdict on the method, None where it gave none (a missing figure never passes)."""
    value = metrics.get("passed", metrics.get("accepted"))
    return value if isinstance(value, bool) else None


def count_table(decisions: Decisions) -> Table:
    categories = sorted({category for category, _ in decisions.by_category})
    rows = []
    for category in categories:
        accepted, refused = decisions.by_category[category, "accepted"], decisions.by_category[category, "refused"]
        rows.append([category, accepted + refused, accepted, refused, f"{100 * accepted / (accepted + refused):.0f} %"])
    return table(["category", "candidates", "accepted", "refused", "accepted share"], rows)


def reason_table(decisions: Decisions) -> Table | None:
    rows = [[reason, category, number] for (category, reason), number
            in sorted(decisions.reasons.items(), key=lambda item: (-item[1], item[0]))]
    return table(["reason of refusal", "category", "candidates"], rows) if rows else None
