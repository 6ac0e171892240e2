"""The verdict, first in the report: what to do with the generated photographs, category by category, and why."""

from __future__ import annotations

from ..folders import Run
from ..tables import Table, table
from ..verdict.build import build as build_verdict
from ..verdict.build import to_do
from ..verdict.decide import Decision
from ..verdict.result import ArmVerdict

SHADE = {"use": "good", "do not use": "bad", "cannot tell": "warn"}


def build(run: Run) -> dict[str, object]:
    """The paragraph, and per arm its decisions and every sentence of advice."""
    verdict = build_verdict(run)
    arms = [
        {
            "arm": arm.arm,
            "rows": [(item, SHADE[item.call], shown(item)) for item in arm.decisions],
            "advice": [item.sentence for item in to_do(arm)],
            "dropped": list(arm.dropped),
            "nothing_passed": arm.nothing_passed,
        }
        for arm in verdict.arms
    ]
    return {
        "paragraph": verdict.paragraph,
        "first": arms[0] if arms else None,
        "others": arms[1:],
        "table": others(verdict.arms[1:]),
    }


def shown(decision: Decision) -> str | None:
    """The difference of AP@0.5 and its interval, or None."""
    if decision.difference is None:
        return None
    if decision.low is None or decision.high is None:
        return f"{decision.difference:+.3f}"
    return f"{decision.difference:+.3f} [{decision.low:+.3f}, {decision.high:+.3f}]"


def others(arms: tuple[ArmVerdict, ...]) -> Table | None:
    """The other arms' decisions in one table."""
    rows = [[arm.arm, item.category, item.call, shown(item), item.why] for arm in arms for item in arm.decisions]
    return table(["arm", "category", "verdict", "AP@0.5 against real alone", "why"], rows) if rows else None
