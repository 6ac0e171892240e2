"""How far a run is, and how long it will still take: the plan at its start, refined by every stage that finishes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.durations import seconds_of
from ..core.files import write_json
from ..core.json_files import note_as
from ..core.live import Moment, clock_words, in_words
from ..core.stage import LOGS

FILE = Path(LOGS) / "progress.json"
FRESH_SECONDS = 20.0
"""A progress file that was written longer ago is that of a run which works no more."""
COUNTED_TO_THE_END = ("train", "compare")
"""Stages whose outermost count goes to the end of the stage: once it moves, it knows better than the estimate."""
TITLES = {"train": "generator", "compare": "detectors"}


@dataclass
class Course:
    """``estimates``: seconds of every step that has work to do, in order. ``done``: what finished ones took."""

    estimates: dict[str, float]
    total: str = ""
    """What was asked for, such as 45m; empty without a time budget."""
    before: float = 0.0
    """Seconds that earlier sittings of the same budget have used."""
    clock: Callable[[], float] = time.monotonic
    done: dict[str, float] = field(default_factory=dict)
    current: str = ""
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def spent(self) -> float:
        """Seconds since the run began, with those of earlier sittings where a budget counts them."""
        return self.before + self.clock() - self.began

    def begin(self, step: str) -> None:
        self.current = step

    def end(self, step: str, seconds: float) -> None:
        self.current = ""
        if step in self.estimates:
            self.done[step] = seconds

    @contextlib.contextmanager
    def working(self, step: str) -> Iterator[None]:
        """The body is the work of that step."""
        began = self.clock()
        self.begin(step)
        yield
        self.end(step, self.clock() - began)

    def refined(self, step: str) -> float:
        """The estimate of a step, corrected by what others of its kind took."""
        kind = step.partition("@")[0]
        alike = [name for name in self.done if name.partition("@")[0] == kind]
        estimated = sum(self.estimates[name] for name in alike)
        factor = sum(self.done[name] for name in alike) / estimated if estimated > 0 else 1.0
        return self.estimates.get(step, 0.0) * factor

    def pending(self) -> list[str]:
        """Steps with work to do that have not begun."""
        return [step for step in self.estimates if step not in self.done and step != self.current]

    def left(self, moment: Moment | None = None) -> float:
        """Seconds until the last step is finished, by what is known now."""
        later = sum(self.refined(step) for step in self.pending())
        if not self.current:
            return later
        counted = moment.left if moment else None
        rest = self.refined(self.current) - (moment.seconds if moment else 0.0)
        if counted is not None and moment is not None and _to_the_end(moment):
            return later + counted
        return later + max(rest, counted or 0.0, 0.0)

    def words(self, moment: Moment) -> str:
        of = f" of {self.total}" if self.total else ""
        return f"whole run {clock_words(self.spent())}{of}, about {in_words(self.planned_left(moment))} left"

    def planned_left(self, moment: Moment) -> float:
        """``left``, but not beyond what a budget allows."""
        return self.at_most(self.left(moment))

    def at_most(self, seconds: float) -> float:
        """These, or what is left of the budget where that is less."""
        return min(seconds, max(0.0, seconds_of(self.total) - self.spent())) if self.total else seconds


def _to_the_end(moment: Moment) -> bool:
    kind = moment.stage.partition("@")[0]
    return kind in COUNTED_TO_THE_END and bool(moment.bars) and moment.bars[0].label.startswith(kind)


def shares(estimates: Mapping[str, float]) -> str:
    """``about 38 min: generator 12, detectors 24, others 2`` (minutes, or seconds where it is short)."""
    total = sum(estimates.values())
    unit = 1 if total < 90 else 60
    parts: dict[str, float] = {}
    for step, seconds in estimates.items():
        title = TITLES.get(step.partition("@")[0], "others")
        parts[title] = parts.get(title, 0.0) + seconds
    ordered = [title for title in (*TITLES.values(), "others") if title in parts]
    shown = [f"{title} {max(1, round(parts[title] / unit))}" for title in ordered]
    return f"about {in_words(total)}" + (f": {', '.join(shown)}" if len(shown) > 1 else "")


def plan_lines(steps: Sequence[str], estimates: Mapping[str, float]) -> list[str]:
    """The plan: one line for each kind of stage, with what is to be done of it and for how long."""
    todo = [step for step in steps if step in estimates]
    fresh = len(steps) - len(todo)
    if not todo:
        return [f"plan: {len(steps)} stages, all fresh: nothing to do"]
    head = f"plan: {len(steps)} stages" + (f", {fresh} of them fresh" if fresh else "")
    lines = [f"{head}; {shares({step: estimates[step] for step in todo})}"]
    kinds: dict[str, list[str]] = {}
    for step in steps:
        kinds.setdefault(step.partition("@")[0], []).append(step)
    width = max(len(kind) for kind in kinds)
    for kind, members in kinds.items():
        left = [step for step in members if step in estimates]
        arms = ", ".join(step.partition("@")[2] for step in left if "@" in step)
        time_words = f"about {in_words(sum(estimates[step] for step in left))}" if left else "fresh"
        some = f" ({len(members) - len(left)} of {len(members)} fresh)" if left and len(left) < len(members) else ""
        lines.append(f"  {kind.ljust(width)}  {time_words}{some}" + (f"  {arms}" if arms else ""))
    return lines


@dataclass(frozen=True)
class Progress:
    """How far a process is, in seconds; ``at``: when it said so. ``left``: of the whole run."""

    at: float
    stage: str
    count: str
    seconds: float
    stage_left: float | None
    spent: float
    left: float
    total: str | None


def write_progress(run: Path, course: Course, moment: Moment) -> None:
    """Say to other processes how far this one is; with the wall clock, for a reader must know whether it is old."""
    write_json(
        run / FILE,
        {
            "at": time.time(),
            "stage": moment.stage,
            "count": moment.count(),
            "seconds": round(moment.seconds, 1),
            "stage_left": None if moment.left is None else round(course.at_most(moment.left), 1),
            "spent": round(course.spent(), 1),
            "left": round(course.planned_left(moment), 1),
            "total": course.total,
            "done": {step: round(seconds, 1) for step, seconds in course.done.items()},
        },
    )


def read_progress(run: Path) -> Progress | None:
    """What a process that works on this run said of itself some seconds ago; None where nobody works here."""
    now = note_as(run / FILE, Progress)
    return now if now and 0 <= time.time() - now.at < FRESH_SECONDS else None
