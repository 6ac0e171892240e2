"""The cells of all runs of a study as one queue: in whole comparisons, each computed once, a failure never the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from detection.comparison.cell import CellJob
from detection.comparison.stage import check
from detection.comparison.stage import plan as plan_cells
from detection.detectors.config import NO_AUGMENTATION, CompareConfig

from ..core.stage import Context, begin_stage, read_manifest
from ..pipeline.run import context_of
from . import failures
from .plan import PlannedCell, StudyRun

Jobs = Mapping[str, Mapping[str, "StudyJob"]]
"""The cells that can be computed: by the name of their run, and by their own."""


@dataclass(frozen=True)
class StudyJob(CellJob):
    """A cell in its run ``home``. It ends well unless nothing could go on at all: its failure becomes a file, and the
    next cell has its turn. What failed after ``since`` was just tried by another shard."""

    home: Path
    since: float

    @classmethod
    def of(cls, job: CellJob, home: Path, since: float) -> StudyJob:
        return cls(**{item.name: getattr(job, item.name) for item in fields(CellJob)}, home=home, since=since)

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        if failures.failed_since(self.home, self.cell.name, self.since):
            return
        try:
            super().run(on_step)
        except Exception as error:
            if failures.stops_all(error):
                raise
            failures.record(self.home, self.cell.name, error)


def comparison(run: StudyRun) -> tuple[CompareConfig, Context]:
    """The run's comparison of those arms whose export is finished: an arm that failed must not stop the others."""
    context = context_of(run.config, run.folder, run.compare())
    there = {name: folder for name, folder in context.inputs.items() if read_manifest(folder) is not None}
    arms = tuple(arm for arm in run.config.compare.arms if arm == NO_AUGMENTATION or f"export@{arm}" in there)
    return (run.config.compare.model_copy(update={"arms": arms}), Context(context.seed, context.device, there))


def jobs_of(run: StudyRun, since: float) -> dict[str, StudyJob]:
    """The cells of a prepared run that can be computed, by name; none where its photographs or all arms are missing."""
    config, context = comparison(run)
    if "ingest" not in context.inputs or not config.arms or not run.cells():
        return {}
    out = run.folder / "compare"
    try:
        jobs = plan_cells(config, context, out)
        check([job for job in jobs if not job.finished()], config, context)
        begin_stage("compare", config, context, out)
    except Exception as error:
        if failures.stops_all(error):
            raise
        failures.record(run.folder, "compare", error)
        return {}
    failures.forget(run.folder, "compare")
    return {job.cell.name: StudyJob.of(job, run.folder, since) for job in jobs}


def in_order(planned: Sequence[PlannedCell], jobs: Jobs, shard: tuple[int, int]) -> list[StudyJob]:
    """This shard's cells in the study's order; equal cells (of one key) go to one shard.

    The share depends on the plan, not on what is finished: every shard deals alike, at any time.
    """
    number, of = shard
    owner: dict[str, int] = {}
    mine = []
    for place, item in enumerate(planned):
        job = jobs.get(item.run.name, {}).get(item.cell.name)
        if job is not None and owner.setdefault(job.key, place % of) == number:
            mine.append(job)
    return mine


def finalize(jobs: Jobs) -> None:
    """Take back what was said of cells that are finished by now."""
    for of_run in jobs.values():
        for job in of_run.values():
            if job.finished():
                failures.forget(job.home, job.cell.name)
