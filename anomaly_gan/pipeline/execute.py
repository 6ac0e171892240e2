"""Running a run: the plan first, then stage after stage, with progress, within the time that was given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..core.config import dump_yaml, read_yaml
from ..core.files import write_text
from ..core.fingerprints import remembered
from ..core.live import Moment, in_words
from ..core.progress import say, stage, watched
from ..core.time_budget import TimeUp
from ..ingestion.summary import summary_lines
from .budget import Budget
from .config import RunConfig
from .costs import Work, seconds_of
from .course import Course, plan_lines, write_progress
from .foresight import Foreseen, foresee
from .pace import Pace, Wanted, cores, pace_of
from .plan import Step, plan
from .run import publish_report, run_step
from .sizes import Sizes, sizes_of

LIMIT = "time_budget"
"""The field of a stage's configuration in which its time stands."""
MEASURED = ("train", "compare")
"""Stages that are timed on this machine before a run begins; without any to do, nothing is measured."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run. ``not_reached``: steps that its time budget left out. ``config``: with every share."""

    config: RunConfig
    not_reached: tuple[str, ...] = ()


def execute(
    config: RunConfig, run: Path, steps: Sequence[Step], time_budget: str | None = None, keep_config: bool = True
) -> Outcome:
    """Run the steps in order; what is fresh is skipped, what was cut off is resumed.

    With ``time_budget`` (``45m``) it ends by then, as far as estimates can tell: trainings and the comparison get
    shares, and where the time is up all that is left is the report. ``keep_config``: the run's own configuration is
    this one from now on.

    Raises:
        InputError: a step's input stage has not finished (after ``--from``), or the photographs are missing.
    """
    work = _Worker(run, [step.name for step in steps], config, Budget.open(run, time_budget) if time_budget else None)
    with remembered(run):
        return work.work(keep_config)


@dataclass
class _Worker:
    """One process at one run."""

    run: Path
    names: list[str]
    config: RunConfig
    budget: Budget | None
    pace: Pace = field(default_factory=lambda: Pace(cores=cores()))
    foreseen: dict[str, Foreseen] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def work(self, keep_config: bool) -> Outcome:
        where = f"{self.config.device}, {cores()} core{'s' if cores() > 1 else ''}"
        say(f"{self.config.name} → {self.run} ({where}{f', within {self.budget.total}' if self.budget else ''})")
        if self.budget:
            self.config = self.budget.applied(self.config, self.steps())
        self._keep(keep_config)
        self.foreseen = foresee(self.config, self.run, self.steps())
        todo = [step for step in self.steps() if not self.foreseen[step.name].fresh]
        if any(step.stage.name in MEASURED for step in todo):
            self.pace = pace_of(self.run, self._wanted(todo), say)
        course = Course(self._estimates(), self.budget.total if self.budget else "")
        course.began, course.before = self.began, self.budget.before if self.budget else 0.0
        for line in plan_lines(self.names, course.estimates):
            say(line)
        with watched(course.words, lambda moment: self._look(course, moment), course.at_most):
            for name in self.names:
                self._step(name, course, keep_config)
        if "report" in self.names:
            publish_report(self.run)
        if self.budget:
            self.budget.save(finished=True)
        return Outcome(self.config, tuple(self.not_reached))

    @property
    def not_reached(self) -> list[str]:
        return self.budget.not_reached if self.budget else []

    def steps(self) -> list[Step]:
        """The steps of this call under the configuration as it stands now."""
        return [step for step in plan(self.config) if step.name in self.names]

    def _step(self, name: str, course: Course, keep_config: bool) -> None:
        """One step: left out, skipped or worked off. Its configuration is looked up as it stands now, because steps
        before it may have used up time that changes what is left for it."""
        step = next(step for step in self.steps() if step.name == name)
        if not self.foreseen[name].fresh and self.budget and self._out_of_reach(step):
            self._leave_out(name, course, "is not begun")
            return
        course.begin(name)
        deadline = None
        if not self.foreseen[name].fresh and self.budget:
            step = self._given(step, course, keep_config)
            deadline = self.budget.deadline(step, course)
        with stage(name):
            began = time.monotonic()
            there, outside = self._of_what_is_there(step), dict(self.foreseen[name].outside)
            try:
                note = self.budget.cut_words() if self.budget and step.stage.name == "report" else ""
                worked = run_step(self.config, self.run, there, outside, deadline, note)
            except TimeUp as over:
                course.current = ""
                self._leave_out(name, course, "is not finished", str(over))
                return
            seconds = time.monotonic() - began
        course.end(name, seconds)
        if worked and deadline:
            self._note_ended(step, keep_config)
        say(f"{name}: {f'done in {in_words(seconds)}' if worked else 'fresh, skipped'} → {self.run / name}")
        if worked and name == "ingest":
            for line in summary_lines(self.run / name):
                say(line)
            anew = self._estimates()
            course.estimates |= {other: anew[other] for other in course.pending() if other in anew}

    def _leave_out(self, name: str, course: Course, what: str, lacked: str = "") -> None:
        """The time is over before this step, or in it."""
        assert self.budget is not None
        if not self.not_reached:
            say(f"{self.budget.total} are over: {name} {what}, nor what comes after it, but for the report")
            self.budget.lacked = lacked
            if lacked:
                say(f"{name}: {lacked}")
        self.not_reached.append(name)
        course.estimates.pop(name, None)

    def _out_of_reach(self, step: Step) -> bool:
        """Whether the time is up for a step, or what it needs was not reached; the report is always written."""
        assert self.budget is not None
        if step.stage.name == "report":
            return False
        missing = any(folder in self.not_reached for folder in step.inputs.values())
        return missing or (self.budget.left() <= 0 and step.stage.name != "ingest")

    def _of_what_is_there(self, step: Step) -> Step:
        """The report of a run that was cut short reads what was reached."""
        there = {name: folder for name, folder in step.inputs.items() if folder not in self.not_reached}
        return replace(step, inputs=there)

    def _given(self, step: Step, course: Course, keep_config: bool) -> Step:
        """The step with its share of the time."""
        assert self.budget is not None
        before = self.config
        self.config = self.budget.decide(self.config, self._work_of(step, self._sizes()), course)
        if self.config == before:
            return step
        self._keep(keep_config)
        self.foreseen = foresee(self.config, self.run, self.steps(), known=self.foreseen)
        given = next(other for other in self.steps() if other.name == step.name)
        say(f"{step.name}: {_share_words(step, given)}")
        return given

    def _note_ended(self, step: Step, keep_config: bool) -> None:
        """Where its time ended the step: its configuration is from now on that of what it left."""
        assert self.budget is not None
        there, key = read_yaml(self.run / step.name / "config.yaml"), "count" if step.stage.name == "pool" else LIMIT
        given = there.get(key)
        if given == getattr(step.config, key, None):
            return
        self.config = self.budget.note(self.config, step, {key: given})
        self._keep(keep_config)
        self.foreseen = foresee(self.config, self.run, self.steps(), known=self.foreseen)
        if key == LIMIT:
            say(f"{step.name}: its {given} were over before all was done; what is done by then goes on")
        else:
            say(f"{step.name}: its time was over; {given} of {step.config.count} masks a category go on")  # type: ignore[attr-defined]

    def _keep(self, keep: bool) -> None:
        if keep:
            write_text(self.run / "run.yaml", dump_yaml(self.config))

    def _look(self, course: Course, moment: Moment) -> None:
        write_progress(self.run, course, moment)
        if self.budget:
            self.budget.save()

    def _sizes(self) -> Sizes:
        return sizes_of(self.config.data, self.run)

    def _work_of(self, step: Step, sizes: Sizes) -> Work:
        generated = self.config.generate.count * sizes.categories
        return Work(step, self.run, sizes, self.pace, generated, len(self.config.compare.seed_list()))

    def _estimates(self) -> dict[str, float]:
        """Seconds of every step that has work to do."""
        sizes = self._sizes()
        return {
            step.name: seconds_of(self._work_of(step, sizes))
            for step in self.steps()
            if not self.foreseen[step.name].fresh
        }

    def _wanted(self, todo: Sequence[Step]) -> Wanted:
        sizes, compare = self._sizes(), self.config.compare
        return Wanted(
            {step.name.partition("@")[2]: step.config for step in todo if step.stage.name == "train"},  # type: ignore[misc]
            {name: compare.detect_config(name) for name in compare.detector_list()}
            if any(step.stage.name == "compare" for step in todo)
            else {},
            self.config.device,
            sizes.categories,
            1 if sizes.gray else 3,
            min(sizes.width, sizes.height) / max(sizes.width, sizes.height),
        )


def _share_words(before: Step, given: Step) -> str:
    """What a time budget changed, in words."""
    parts = [f"gets {given.config.time_budget}"]  # type: ignore[attr-defined]
    if given.stage.name == "compare":
        old, new = before.config, given.config
        seeds = (len(old.seed_list()), len(new.seed_list()))  # type: ignore[attr-defined]
        parts += [f"{seeds[1]} of {seeds[0]} seeds"] if seeds[0] != seeds[1] else []
        share = new.detect.steps(1000) / old.detect.steps(1000)  # type: ignore[attr-defined]
        if new.detect.time_budget != old.detect.time_budget:  # type: ignore[attr-defined]
            parts.append(f"at most {new.detect.time_budget} a training")  # type: ignore[attr-defined]
        parts += [f"{share:.0%} of each training's steps, so its figures say little"] if share < 1 else []
    return ", ".join(parts)
