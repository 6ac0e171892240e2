"""The stages before the comparison: computed once in a study, however many of its runs need them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..core.config import dump_yaml
from ..core.files import write_text
from ..core.progress import stage
from ..core.stage import finished_key, is_fresh, link_stage, run_lock, stage_key
from ..core.workfolder import leftovers
from ..pipeline.course import Course
from ..pipeline.plan import Step
from ..pipeline.run import outside_keys, run_step, said_of
from . import failures
from .clock import Clock
from .config import MAIN
from .estimate import name_of
from .plan import StudyRun

Say = Callable[[str], None]


@dataclass
class Workshop:
    """Prepares the runs of a study, and remembers what holds for all of them."""

    runs: Sequence[StudyRun]
    say: Say
    started: float = field(default_factory=time.time)
    clock: Clock = field(default_factory=Clock)
    course: Course = field(default_factory=lambda: Course({}))
    _outside: dict[str, dict[str, str]] = field(default_factory=dict)
    _done: dict[str, StudyRun] = field(default_factory=dict)
    """By key: a run in which this stage was seen finished."""

    def __post_init__(self) -> None:
        self._steps = {run.name: run.steps() for run in self.runs}

    def prepare(self, run: StudyRun) -> None:
        """Every stage of the run up to its exports; a stage that fails takes only what needs it with it.

        Raises:
            EnvironmentFailure: another process works in this run, or the disk is full.
            InputError: the photographs of ``main`` cannot be read: there is nothing to study.
        """
        lost: set[str] = set()
        with run_lock(run.folder):
            write_text(run.folder / "run.yaml", dump_yaml(run.config))
            for step in self._steps[run.name]:
                if lost & set(step.inputs.values()) or failures.failed_since(run.folder, step.name, self.started):
                    lost.add(step.name)
                    continue
                try:
                    self._work(run, step)
                except Exception as error:
                    if failures.stops_all(error) or (run.variant == MAIN and step.name == "ingest"):
                        raise
                    lost.add(step.name)
                    failures.record(run.folder, step.name, error)
                    self.say(f"{run.name}: {step.name} failed: {error}")
                else:
                    failures.forget(run.folder, step.name)

    def _work(self, run: StudyRun, step: Step) -> None:
        outside = self.outside_keys(step)
        keys = {name: finished_key(run.folder / folder) for name, folder in step.inputs.items()}
        keys |= outside | said_of(run.folder, step)
        target = run.folder / step.name
        key = stage_key(step.name, step.config, run.config.seed, keys, target)
        if is_fresh(target, key) and not leftovers(target):
            self._done.setdefault(key, run)
            return
        twin = self._twin(run, step.name, key)
        if twin is not None:
            link_stage(twin.folder / step.name, target, key)
            self.say(f"{run.name}: {step.name}: the same as in {twin.name}")
            return
        self.say(f"{run.name}: {step.name} ...{self._left(run, step)}")
        begun = time.monotonic()
        with stage(f"{run.name}/{step.name}"), self.course.working(name_of(run, step)):
            run_step(run.config, run.folder, step, outside)
        self.clock.took(step.name, time.monotonic() - begun)
        self._done[key] = run
        self.say(f"{run.name}: {step.name}: done → {target}")

    def outside_keys(self, step: Step) -> dict[str, str]:
        """Reading all photographs of a source takes its time: once a study, not once a run."""
        name = json.dumps(
            [
                type(step.config).__name__,
                step.config.model_dump(mode="json", exclude={"fold", "split", "objects", "draw"}),
            ],
            sort_keys=True,
        )
        if name not in self._outside:
            self._outside[name] = outside_keys(step)
        return self._outside[name]

    def _twin(self, run: StudyRun, step: str, key: str) -> StudyRun | None:
        """Another run in which just this stage is finished."""
        first = [self._done[key]] if key in self._done else []
        return next(
            (other for other in [*first, *self.runs] if other is not run and is_fresh(other.folder / step, key)), None
        )

    def _left(self, run: StudyRun, step: Step) -> str:
        """How long the stages that are still to be done will take, as far as others of their kind were timed."""
        steps = [(other, item) for other in self.runs for item in self._steps[other.name]]
        waiting = [
            item.name
            for other, item in steps
            if (other is not run or item is not step) and not (other.folder / item.name / "manifest.json").exists()
        ]
        left = self.clock.left([step.name, *waiting])
        return f" ({len(waiting)} more stage{'s' if len(waiting) > 1 else ''}{left})" if waiting else ""
