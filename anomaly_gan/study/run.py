"""A study from its plan to its report: prepare every run, train every cell, tabulate what is there."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import ConfigError, EnvironmentFailure, InputError, RunBusy
from ..core.files import write_text
from ..core.progress import stage, watched
from ..core.stage import run_lock, run_stage
from . import failures
from .cells import StudyJob, comparison, finalize, in_order, jobs_of
from .config import StudyConfig, dump_study
from .estimate import course_of, lines
from .outcome import Outcome
from .plan import StudyRun, plan_study, planned_cells
from .prepare import Say, Workshop
from .quality import measure_all

WAIT_SECONDS = 5.0
"""Between two looks at a run that another shard prepares."""
PARSED = "i/n with 0 <= i < n, for example 0/2"


def read_shard(text: str | None) -> tuple[int, int]:
    """``0/2`` as (0, 2); the whole study where there is none.

    Raises:
        ConfigError: not of that form.
    """
    if text is None:
        return 0, 1
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise ConfigError(f"--shard {text}: must read {PARSED}")
    return int(number), int(of)


def run_study(
    study: StudyConfig,
    base: dict[str, object],
    out: Path,
    say: Say,
    shard: tuple[int, int] = (0, 1),
    tables_only: bool = False,
) -> Outcome:
    """Work on a study and write its tables; what is finished is kept, what was cut off goes on.

    Several processes may work on the same folder, each with its ``shard``: a run is prepared by whoever comes first.

    Args:
        study: the study.
        base: the configuration that its variants change.
        out: folder to write.
        say: takes one line for people.
        shard: (index, count): this process's share of the cells.
        tables_only: train nothing; write the tables from finished cells.

    Returns:
        What was finished, what failed, what was written.

    Raises:
        ConfigError: a run that cannot be.
        InputError: nothing to tabulate; a cell that cannot be read.
        EnvironmentFailure: the disk is full, or a worker was killed.
    """
    from .tables import write_tables

    runs = plan_study(study, base, out)
    if not tables_only:
        for name, text in zip(("study.yaml", "base.yaml"), dump_study(study, base), strict=True):
            write_text(out / name, text)
        _Worker(study.name, runs, out, say, shard).work()
        if study.quality:
            measure_all(runs, say)
    elif not any(run.folder.is_dir() for run in runs):
        raise InputError(
            str(out), "MISSING", "no run of this study is here", "check --out, or run without --tables-only"
        )
    with (out / ".tables.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # another shard may end now, and the last one to look must write last
        return write_tables(study, runs, out)


@dataclass
class _Worker:
    """One process at a study."""

    name: str
    runs: Sequence[StudyRun]
    out: Path
    say: Say
    shard: tuple[int, int]
    started: float = field(default_factory=time.time)
    jobs: dict[str, dict[str, StudyJob]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.planned = planned_cells(self.runs)

    def work(self) -> None:
        """Run after run: prepare it, then train this shard's cells of all that are prepared; so a study that is cut
        off has whole runs to show. Each shard begins with another run; while all that is left is in other hands, it
        trains what there is."""
        shop = Workshop(self.runs, self.say, self.started)
        course = course_of(self.runs, self.out, shop.outside_keys, self.shard[1], self.say)
        for line in lines(course, self.runs):
            self.say(line)
        shop.course = course
        with watched(course.words, lambda moment: None):
            self._work_off(shop)
        finalize(self.jobs)
        for run in self.runs:
            self._close(run)

    def _work_off(self, shop: Workshop) -> None:
        """Prepare and train run by run. Every shard begins with another run, so that they rarely want the same; a run
        in other hands is come back to."""
        first = self.shard[0] % len(self.runs)
        left = [*self.runs[first:], *self.runs[:first]]
        while left:
            busy = []
            for run in left:
                try:
                    shop.prepare(run)
                except RunBusy:
                    busy.append(run)
                    continue
                self.jobs[run.name] = jobs_of(run, self.started)
                name = f"compare@{run.name}"
                with stage(name), shop.course.working(name):
                    self._train(self._waiting())
            if busy and self.shard[1] == 1:
                raise EnvironmentFailure(
                    f"{busy[0].folder}: another process is working in this run; to share a study "
                    "give each process its --shard"
                )
            if len(busy) == len(left):
                time.sleep(WAIT_SECONDS)
            left = busy
        self.say(
            f"cells: {sum(job.finished() for of_run in self.jobs.values() for job in of_run.values())} of "
            f"{len(self.planned)} finished"
        )

    def _waiting(self) -> list[StudyJob]:
        """This shard's cells that are not finished, of the runs prepared so far, in the study's order."""
        return [job for job in in_order(self.planned, self.jobs, self.shard) if not job.finished()]

    def _train(self, jobs: Sequence[StudyJob]) -> None:
        from detection.comparison.stage import work

        work(jobs, self._workers(jobs), reuse_from=(self.out,), say=self.say)

    def _workers(self, jobs: Sequence[StudyJob]) -> int:
        """Processes for the cells: as configured; else every core on a CPU, or one where the shards are the workers."""
        asked = self.runs[0].config.compare.workers
        if asked or not jobs:
            return max(1, asked)
        return len(os.sched_getaffinity(0)) if jobs[0].device == "cpu" and self.shard[1] == 1 else 1

    def _close(self, run: StudyRun) -> None:
        """Finish the run's own comparison where all its cells are there, so that the run stands for itself."""
        from detection.comparison import stage as compare

        jobs = self.jobs.get(run.name, {})
        if not jobs or not all(job.finished() for job in jobs.values()):
            return
        config, context = comparison(run)
        try:
            with run_lock(run.folder):
                run_stage("compare", compare.run, config, context, run.folder / "compare")
        except RunBusy:
            self.say(f"{run.name}: another shard closes its comparison")
        except Exception as error:
            if failures.stops_all(error):
                raise
            failures.record(run.folder, "compare", error)
