"""The plan of a study: what is to be done in all its runs, each piece once, and how long that takes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import AnomalyGanError
from ..core.live import in_words
from ..pipeline.config import RunConfig
from ..pipeline.costs import Work, seconds_of
from ..pipeline.course import Course, shares
from ..pipeline.foresight import foresee
from ..pipeline.pace import Pace, Wanted, pace_of
from ..pipeline.plan import Step
from ..pipeline.sizes import Sizes, sizes_of
from .plan import StudyRun, planned_cells

MEASURED = ("train", "compare")


def course_of(
    runs: Sequence[StudyRun],
    out: Path,
    outside_of: Callable[[Step], dict[str, str]],
    shards: int,
    say: Callable[[str], None],
) -> Course:
    """Estimates of every stage of every run that has work to do, under ``STAGE@RUN/ARM``; what several runs share
    counts once. Cells are this process's part of them.

    A run whose photographs cannot be read has no estimate: the study says so when its turn comes.
    """
    todo = _todo(runs, outside_of)
    pace = _pace(runs, out, [step for _, step in todo], say)
    estimates: dict[str, float] = {}
    for run, step in todo:
        work = _work(run.config, run.folder, step, pace)
        estimates[name_of(run, step)] = seconds_of(work) / (shards if step.stage.name == "compare" else 1)
    return Course(estimates)


def name_of(run: StudyRun, step: Step) -> str:
    kind, _, arm = step.name.partition("@")
    return f"{kind}@{run.name}" + (f"/{arm}" if arm else "")


def lines(course: Course, runs: Sequence[StudyRun]) -> list[str]:
    """The plan in words: the whole, and each kind of stage."""
    cells = len(planned_cells(runs))
    if not course.estimates:
        return [f"plan: {len(runs)} runs, {cells} cells: all there, tables are written anew"]
    kinds: dict[str, list[float]] = {}
    for name, seconds in course.estimates.items():
        kinds.setdefault(name.partition("@")[0], []).append(seconds)
    width = max(map(len, kinds))
    return [
        f"plan: {len(runs)} runs, {cells} cells; {shares(course.estimates)}",
        *(f"  {kind.ljust(width)}  {len(each)} times, about {in_words(sum(each))}" for kind, each in kinds.items()),
    ]


def _todo(runs: Sequence[StudyRun], outside_of: Callable[[Step], dict[str, str]]) -> list[tuple[StudyRun, Step]]:
    seen: set[str] = set()
    found = []
    for run in runs:
        steps = [*run.steps(), *([run.compare()] if run.until == "compare" else [])]
        try:
            foreseen = foresee(run.config, run.folder, steps, outside_of)
        except AnomalyGanError:
            continue
        seen |= {item.key for item in foreseen.values() if item.fresh}
        for step in steps:
            if foreseen[step.name].key not in seen:
                seen.add(foreseen[step.name].key)
                found.append((run, step))
    return found


def _work(config: RunConfig, folder: Path, step: Step, pace: Pace) -> Work:
    sizes = sizes_of(config.data, folder)
    return Work(step, folder, sizes, pace, config.generate.count * sizes.categories, len(config.compare.seed_list()))


def _pace(runs: Sequence[StudyRun], out: Path, todo: Sequence[Step], say: Callable[[str], None]) -> Pace:
    """One step of every method and detector, as the first run that needs it trains it."""
    if not any(step.stage.name in MEASURED for step in todo):
        return Pace()
    first = runs[0]
    sizes: Sizes = sizes_of(first.config.data, first.folder)
    trainings: dict[str, Any] = {}
    for step in todo:
        if step.stage.name == "train":
            trainings.setdefault(step.name.partition("@")[2], step.config)
    compare = first.config.compare
    wanted = Wanted(
        trainings,
        {name: compare.detect_config(name) for name in compare.detector_list()},
        first.config.device,
        sizes.categories,
        1 if sizes.gray else 3,
        min(sizes.width, sizes.height) / max(sizes.width, sizes.height),
    )
    pace = pace_of(out, wanted, say)
    workers = compare.workers or pace.cores
    return replace(pace, cores=workers)
