"""Working off cells: those of one comparison or of a hundred, in several processes, on several machines."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.json_files import note_as
from anomaly_gan.engine.board import Plan

from ..evaluation.kept_rows import read_rows
from .cache import adopt, finished_cells
from .cell import CellJob
from .clock import Used
from .result import write_result


@dataclass(frozen=True)
class Worked:
    """What became of the cells of this shard: ``trained`` now, ``reused`` from an equal cell, ``elsewhere`` claimed
    by another process that is still at it; the rest was finished before."""

    trained: list[CellJob]
    reused: list[CellJob]
    elsewhere: list[CellJob]


def work(
    jobs: Sequence[CellJob],
    workers: int = 0,
    *,
    shard: tuple[int, int] = (0, 1),
    reuse_from: Sequence[Path] = (),
    say: Callable[[str], None] = lambda line: None,
    over: Callable[[], bool] = lambda: False,
) -> Worked:
    """Train what is not finished, in ``workers`` processes (0: every core on a CPU, one on CUDA).

    ``jobs`` may come from many plans. ``shard`` is (index, count): this process takes every count-th cell; processes
    with the same shard share its cells, for each cell is claimed while it is trained. Cells of equal key are trained
    once, and a finished one under ``reuse_from`` (comparisons, runs, studies) is taken instead. A bar shows the steps
    of all cells and the time left; ``say`` gets the same as a line whenever a cell is finished. Once ``over()``, what
    is being trained stops at its last checkpoint.

    Args:
        jobs: what is to be done, in order.
        workers: number of processes; 0: every core on a CPU, one on CUDA.
        shard: (index, count): this process's share.
        reuse_from: folders whose finished cells may be taken.
        say: takes one line for people.
        over: asked between jobs; True ends the work with what is done.

    Returns:
        What was trained, taken and left.

    Raises:
        ConfigError: no such shard.
        AnomalyGanError: a cell failed; finished cells stay.
    """
    index, count = shard
    if not 0 <= index < count:
        raise ConfigError(f"shard {index}/{count}: must be from 0/{count} to {count - 1}/{count}")
    twins: dict[str, list[CellJob]] = defaultdict(list)
    for job in jobs:
        twins[job.key].append(job)
    mine = list(twins.values())[index::count]  # dealt by the plan, not by what is left: every process deals alike
    open_before = [job for same in mine for job in same if not job.finished()]
    folders = [*dict.fromkeys(job.folder.parent.parent for job in open_before), *reuse_from]
    found = finished_cells(folders, {job.key for job in open_before})
    reused = [job for job in open_before if job.key in found and adopt(job, found[job.key])]
    todo = [same[0] for same in mine if not any(job.finished() for job in same)]
    _train(todo, [same[0] for same in mine if same[0] not in todo], workers, say, over)
    for same in mine:
        source = next((job for job in same if job.finished()), None)
        if source is not None:
            reused += [job for job in same if not job.finished() and adopt(job, source.folder)]
            for job in same:
                complete(job)
    return Worked([job for job in todo if job.finished()], reused, [job for job in open_before if not job.finished()])


def _train(
    todo: Sequence[CellJob],
    finished: Sequence[CellJob],
    workers: int,
    say: Callable[[str], None],
    over: Callable[[], bool],
) -> None:
    from anomaly_gan.engine.jobs import Sitting
    from anomaly_gan.engine.workers import run_all

    if not todo:
        return
    on_cpu = todo[0].device == "cpu"
    workers = min(workers or (len(os.sched_getaffinity(0)) if on_cpu else 1), len(todo))
    plan = Plan(
        [job.kind for job in todo],
        [job.steps for job in todo],
        workers,
        len(finished),
        sum(job.steps for job in finished),
        _times(finished),
    )
    run_all(todo, 0 if not on_cpu and workers == 1 else workers, Sitting(plan=plan, say=say, over=over))


def _times(finished: Sequence[CellJob]) -> dict[str, float]:
    """Mean seconds of the finished cells of each kind, from those trained in these folders."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for job in finished:
        if used := note_as(job.clock, Used):
            seconds[job.kind].append(used.seconds)
    return {kind: sum(values) / len(values) for kind, values in seconds.items()}


def complete(job: CellJob) -> None:
    """Give a finished cell of an older version the figures it lacks, from its saved detections."""
    from ..evaluation.image_level import image_figures

    result = job.result()
    if result.figures.of_images is not None:
        return
    rows = read_rows(job.folder / "detections.json")
    of_images = image_figures(load_dataset(job.ingest).split(job.split_test), rows)
    write_result(job.folder, replace(result, figures=replace(result.figures, of_images=of_images)))
