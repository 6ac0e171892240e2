"""From the facts of a run to its verdict, and to the last lines on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.json_files import read_as, understood
from ...synthesis.gate.results import GateResult
from ..folders import Run
from .advice import Advice
from .decide import Call, decide
from .facts import Facts, read_facts
from .result import ArmVerdict, Verdict
from .rules import advise

FILE = "verdict.json"
CALLS: dict[Call, str] = {"use": "use", "do not use": "do not use", "cannot tell": "cannot tell for"}
MOST_ADVICE = 6
"""Sentences on the console; the report and ``verdict.json`` have all."""
MEANINGLESS = ("blind", "thin", "one_seed", "no_sound")
"""Rules that say where a figure means nothing: the first sentence of each is always on the console."""


def build(run: Run) -> Verdict:
    """The verdict on the finished stages; ``cannot tell`` where the stages that would tell are missing, and the run's
    own note where there is nothing at all."""
    arms = [verdict_of(facts) for facts in read_facts(run)]
    return Verdict(paragraph(arms[0]) if arms else f"{NOTHING} {run.note}".strip(), tuple(arms))


NOTHING = "Nothing can be said yet: no photographs have been generated and checked."


def verdict_of(facts: Facts) -> ArmVerdict:
    """Decisions and advice on one arm; what is advised of a category that another sentence says twice is said once."""
    return ArmVerdict(
        facts.arm,
        tuple(decide(category, facts) for category in facts.categories),
        tuple(item.name for item in facts.categories if item.gate is not None and item.gate.level == "fail"),
        tuple(item.name for item in facts.categories if item.dropped),
        facts.nothing_passed,
        tuple(dict.fromkeys(advise(facts))),
        facts.choices,
    )


def paragraph(arm: ArmVerdict) -> str:
    """A few sentences without a figure but the ones that matter: what to do, and the first reason why."""
    if arm.nothing_passed:
        first = f"Do not use the {arm.arm} photographs: nothing passed the gate, so no detector was trained with them."
    elif not arm.decisions:
        first = f"Nothing can be said of the {arm.arm} photographs yet."
    else:
        first = " ".join(_call(arm, call) for call in CALLS if any(item.call == call for item in arm.decisions))
    reasons = [advice.sentence for advice in to_do(arm)[:1]]
    return " ".join([first, *(f"First of all: {sentence}" for sentence in reasons)])


def to_do(arm: ArmVerdict) -> list[Advice]:
    """The arm's advice but for what the paragraph says already."""
    return [advice for advice in arm.advice if advice.rule != "nothing_passed"]


def _call(arm: ArmVerdict, call: Call) -> str:
    items = [item for item in arm.decisions if item.call == call]
    whole = len(items) == len(arm.decisions)
    names = ", ".join(item.category for item in items)
    if call == "use":
        return f"Use the {arm.arm} photographs{'' if whole else f' of {names}'}: with them the detector gets better."
    if call == "do not use":
        return f"Do not use the {arm.arm} photographs{'' if whole else f' of {names}'}."
    more = max((item.need_parts or 0 for item in items), default=0)
    need = f": you need about {more} more parts" if more else ""
    return f"Whether the {arm.arm} photographs{'' if whole else f' of {names}'} help cannot be told{need}."


@dataclass(frozen=True)
class Closing:
    """What a run says at its end: ``lines`` for the console, and its exit code."""

    lines: tuple[str, ...]
    exit_code: int


def closing(verdict: Verdict) -> Closing:
    """Decision by category, then what to do, then, last, what the exit code says."""
    lines = [verdict.paragraph]
    first = verdict.arms[0] if verdict.arms else None
    lines += [f"  {item.sentence}" for item in first.decisions] if first else []
    lines += [f"  {arm.arm}: {in_short(arm)}" for arm in verdict.arms[1:]]
    todo = to_do(first) if first is not None else []
    if todo:
        shown = on_console(todo)
        lines += ["What can be done:", *(f"  {advice.sentence}" for advice in shown)]
        left = len(todo) - len(shown)
        lines += [f"  and {left} more in the report"] if left > 0 else []
    lines += gate_lines({arm.arm: (arm.failed, bool(arm.dropped)) for arm in verdict.arms})
    return Closing(tuple(lines), 0 if verdict.passed else 1)


def on_console(todo: Sequence[Advice]) -> list[Advice]:
    """As many as fit, in their order; what says that a figure means nothing among them."""
    always = {advice.rule: advice for advice in reversed(todo) if advice.rule in MEANINGLESS}.values()
    others = [advice for advice in todo if advice not in always][: max(0, MOST_ADVICE - len(always))]
    return [advice for advice in todo if advice in always or advice in others]


def in_short(arm: ArmVerdict) -> str:
    """One line on an arm that is not the first: ``use crack; cannot tell for break, chip``."""
    if arm.nothing_passed:
        return "nothing passed the gate"
    named = {call: [item.category for item in arm.decisions if item.call == call] for call in CALLS}
    return "; ".join(f"{CALLS[call]} {', '.join(names)}" for call, names in named.items() if names)


def gate_lines(arms: Mapping[str, tuple[Sequence[str], bool]]) -> list[str]:
    """What failed by arm (its categories, and whether they were dropped), as one line; none where nothing failed."""
    failed = [f"{arm}: {', '.join(names)}" for arm, (names, _) in arms.items() if names]
    if not failed:
        return []
    kept = "left out of the training sets" if any(dropped for _, dropped in arms.values()) else "kept (gate.on_fail)"
    return [f"The gate failed {'; '.join(failed)} ({kept}). Exit code 1."]


def close_gates(run: Path, stages: Sequence[str]) -> Closing:
    """The closing of a run that ends before its report: what its gates among ``stages`` failed."""
    arms = {}
    for name in stages:
        path = run / name / "metrics.json"
        if name.startswith("gate@") and path.is_file():
            content = read_as(path, dict)
            with understood(path):
                result = GateResult.from_json(content)
            failed = [key for key, item in result.categories.items() if item.level == "fail"]
            arms[name.removeprefix("gate@")] = (failed, bool(result.dropped))
    lines = gate_lines(arms)
    return Closing(tuple(lines), 1 if lines else 0)


def close_run(run: Path) -> Closing | None:
    """The closing of a run folder whose report has been written; None where it has not.

    Raises:
        InputError: FORMAT, its ``verdict.json`` is damaged.
    """
    path = run / FILE if (run / FILE).is_file() else run / "report" / FILE
    if not path.is_file():
        return None
    remedy = "run `anomaly-gan report` again"
    content = read_as(path, dict, remedy)
    with understood(path, remedy):
        return closing(Verdict.from_json(content))
