"""The comparison: every arm trains the same detectors with every seed; all are evaluated on the same photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.devices import place_of
from anomaly_gan.core.durations import seconds_of
from anomaly_gan.core.errors import CheckFailed, ConfigError, EnvironmentFailure, InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.json_files import read_as
from anomaly_gan.core.locks import holder
from anomaly_gan.core.stage import CELLS, Context, begin_stage, finished_key
from anomaly_gan.core.tables import write_csv
from anomaly_gan.core.versions import mixture
from anomaly_gan.engine.precision import FLOAT32

from ..detectors.config import NO_AUGMENTATION, CompareConfig
from ..evaluation.kept_rows import read_rows
from ..scale import fitted
from .cache import tidy
from .cell import CellJob, cell_key, held_out_hash, training_data
from .clock import Allowance
from .outcome import Left, Summary
from .queue import work
from .result import Cell, CellResult

COLUMNS = (
    "arm",
    "detector",
    "seed",
    "fold",
    "map50",
    "map",
    "miou",
    "n_real",
    "n_synthetic",
    "iterations",
    "map50_box",
    "map_box",
    "image_recall_at_5",
    "image_recall_at_10",
    "image_recall_at_20",
    "image_auroc",
    "shown_real",
    "shown_synthetic",
)


def run(config: CompareConfig, context: Context, out: Path) -> dict[str, object]:
    """Stage function. ``context.inputs``: ``ingest``, and ``export@ARM`` for each arm but ``none``.

    Writes ``cells/NAME/result.json`` and ``detections.json``, ``table.csv``, ``summary.json``, ``lift.png`` and a
    ``detections.png`` per detector. Finished cells are kept when a run goes on; a cut-off cell resumes from its
    checkpoint. With ``time_budget`` it ends after that time, of all its processes together, with the cells that were
    reached; the others are named.

    Raises:
        ConfigError: an arm has no ``export@ARM`` among the inputs.
        InputError: the test split is empty or shows no defect; a training set holds something of the test split.
        EnvironmentFailure: another process is training some of the cells.
    """
    jobs = plan(config, context, out)
    check(jobs, config, context)
    tidy(out / CELLS, jobs)
    time_up = Allowance(seconds_of(config.time_budget), out).over if config.time_budget else lambda: False
    work(jobs, config.workers, over=time_up)
    missing = [job for job in jobs if not job.finished()]
    if missing and not time_up():
        raise EnvironmentFailure(
            f"{out}: {len(missing)} cells are being trained by another process "
            f"({_whom(missing[0])}); run this again when it is done"
        )
    return assemble(config, context, out)


def _whom(job: CellJob) -> str:
    other = holder(job.claim) or {}
    return f"{job.cell.name}: process {other.get('pid', '?')} on {other.get('host', '?')}, says {job.claim}"


def begin(config: CompareConfig, context: Context, out: Path) -> bool:
    """Make ``out`` ready for :func:`work` of several processes at once; False where the comparison is fresh.

    Finished cells are kept, whatever has changed around them: each carries its own key. Cells that the plan does not
    name are set aside. Once all cells are finished, ``run_stage`` with :func:`run` closes the stage.
    """
    if not begin_stage("compare", config, context, out):
        return False
    tidy(out / CELLS, plan(config, context, out))
    return True


def plan(config: CompareConfig, context: Context, out: Path) -> list[CellJob]:
    """Every cell, seed by seed so that a stopped run holds whole comparisons, with the folder it reads and writes.

    Nothing is written, and the key of a cell does not depend on where it lies.

    Raises:
        ConfigError: an arm has no ``export@ARM`` among the inputs.
    """
    from ..detectors.backbones import choose_backbone

    missing = [arm for arm in config.arms if arm != NO_AUGMENTATION and f"export@{arm}" not in context.inputs]
    if missing:
        raise ConfigError(
            f"compare.arms: no export for {', '.join(missing)}; run these methods to their export, "
            "or take them out of compare.arms"
        )
    device, ingest = place_of(context.device), context.inputs["ingest"]
    real = load_dataset(ingest).split("train")
    defective = len(real.images) - len(real.normals())
    arms = [arm for arm in config.arms if arm not in nothing_passed(config, context)]
    # seeds outermost: whatever is done when time is over, every arm has as many of them
    jobs = []
    for seed in config.seed_list():
        for name in config.detector_list():
            backbone = choose_backbone(config.detect_config(name).backbone)
            for arm in arms:
                cell = Cell(arm, name, config.fold, seed)
                detect = fitted(config.detect_config(name, arm), real)
                train = ingest if arm == NO_AUGMENTATION else context.inputs[f"export@{arm}"]
                key = cell_key(
                    cell,
                    detect,
                    context.seed,
                    config.split_test,
                    device,
                    backbone,
                    {"ingest": finished_key(ingest), "train": finished_key(train)},
                )
                jobs.append(
                    CellJob(
                        cell,
                        detect,
                        ingest,
                        train,
                        out / CELLS / cell.name,
                        config.split_test,
                        context.seed,
                        device,
                        key,
                        defective,
                    )
                )
    return jobs


@dataclass(frozen=True)
class Exported:
    """What of an export's ``metrics.json`` a comparison asks for."""

    nothing_passed: bool = False


def nothing_passed(config: CompareConfig, context: Context) -> list[str]:
    """Arms whose export holds nothing generated because the gate let nothing pass: nothing to train on but what
    ``none`` has."""
    empty = []
    for arm in config.arms:
        path = context.inputs.get(f"export@{arm}", Path()) / "metrics.json"
        if arm != NO_AUGMENTATION and path.is_file():
            empty += [arm] if read_as(path, Exported, "run the export again").nothing_passed else []
    return empty


def check(jobs: Sequence[CellJob], config: CompareConfig, context: Context) -> None:
    """Find what makes a comparison void before hours of training; each cell checks its own part again.

    Raises:
        InputError: the test split is empty or shows no defect; a training set holds something of the test split.
    """
    ingest = context.inputs["ingest"]
    test = held_out(config, ingest)
    for arm, train in {job.cell.arm: job.train for job in jobs}.items():
        training_data(arm, ingest, train, test)


def held_out(config: CompareConfig, ingest: Path) -> Dataset:
    """The photographs that every cell is evaluated on.

    Raises:
        InputError: K8, there is no defect among them.
    """
    test = load_dataset(ingest).split(config.split_test)
    if not test.annotations:
        raise InputError(
            str(ingest),
            "K8",
            f"split {config.split_test!r} shows no defect to evaluate on",
            "ingest with a test share that holds defects",
        )
    return test


def assemble(config: CompareConfig, context: Context, out: Path) -> dict[str, object]:
    """Table, summary and pictures from the finished cells; returns the stage's metrics.

    ``missing`` of the metrics and the summary names the cells that are not finished; it is not there where all are.

    Raises:
        InputError: no cell is finished, or one was evaluated on another test split.
    """
    from .plots import write_detections, write_lift
    from .summary import summarise

    jobs = plan(config, context, out)
    test = held_out(config, context.inputs["ingest"])
    done = [job for job in jobs if job.finished()]
    missing = [job.cell.name for job in jobs if job not in done]
    empty = nothing_passed(config, context)
    if not jobs and empty:
        raise CheckFailed(f"{out}: nothing passed the gate for {', '.join(empty)}: there is nothing to compare")
    if not done and config.time_budget:
        return _nothing_reached(config, missing, out)
    if not done:
        raise InputError(str(out), "UNFINISHED", "no cell of the comparison is finished", "run the comparison first")
    results = [job.result() for job in done]
    # figures on different photographs must not stand in one table
    if any(result.test_hash != held_out_hash(test) for result in results):
        raise InputError(str(out), "K8", "a cell was evaluated on another test split", "delete it and run again")
    write_table(out / "table.csv", results)
    found = {job.cell.name: read_rows(job.folder / "detections.json") for job in done}
    by_time = sum(result.report.ended_by_time for result in results)
    summary = replace(
        summarise(results, found, test, config, context.seed),
        left=Left(missing, empty, by_time, mixture([_made_by(result) for result in results])),
        backbones={row.cell.detector: row.backbone for row in results if row.backbone is not None},
        not_reached=not_reached(config, missing, len(jobs)) if missing and config.time_budget else "",
    )
    write_json(out / "summary.json", summary.to_json())
    write_lift(out / "lift.png", summary.detectors)
    for name in summary.detectors:
        first = min(job.cell.seed for job in done if job.cell.detector == name)
        picture = "detections.png" if name == summary.detector else f"detections@{name}.png"
        write_detections(
            out / picture,
            test,
            {job.cell.arm: found[job.cell.name] for job in done if (job.cell.detector, job.cell.seed) == (name, first)},
            config.detect_config(name).score_threshold,
        )
    used = sorted({result.precision or FLOAT32 for result in results})
    return _metrics(len(results), summary) | {"precision": ", ".join(used)} | summary.left.to_json()


def _made_by(result: CellResult) -> dict[str, dict[str, str]]:
    """A cell's versions, its arithmetic among them; cells without a word on it were trained in float32."""
    return {"versions": {**(result.versions or {}), "precision": result.precision or FLOAT32}}


def not_reached(config: CompareConfig, missing: Sequence[str], of: int) -> str:
    """One sentence on the cells that a time budget cut off."""
    return (
        f"Not reached within {config.time_budget}: {len(missing)} of {of} trainings of a detector "
        f"({', '.join(missing[:4])}{' ...' if missing[4:] else ''}); the same run without a budget goes on with them."
    )


def _nothing_reached(config: CompareConfig, missing: Sequence[str], out: Path) -> dict[str, object]:
    """The files of a comparison that has no cell to tell of, and its metrics."""
    note = not_reached(config, missing, len(missing))
    write_table(out / "table.csv", [])
    write_json(out / "summary.json", {"arms": {}, "detectors": {}, "missing": list(missing), "note": note})
    return {"cells": 0, "arms": {}, "sentences": [], "missing": list(missing)}


def _metrics(cells: int, summary: Summary) -> dict[str, object]:
    means = {
        detector: {
            arm: {name: of.interval.mean for name in ("map50", "map", "miou") if (of := item.metrics[name]) is not None}
            for arm, item in part.arms.items()
        }
        for detector, part in summary.detectors.items()
    }
    left = summary.left
    more = {"detectors": means} if len(means) > 1 else {}
    return {
        "cells": cells,
        "arms": means[summary.detector],
        "test": summary.test.to_json(),
        "sentences": [
            *(item.sentence() for item in summary.first.arms.values()),
            *(f"{arm}: nothing passed the gate, so no detector was trained with it." for arm in left.nothing_passed),
            *([left.versions] if left.versions else []),
        ],
        **more,
    }


def write_table(path: Path, results: Sequence[CellResult]) -> None:
    """One row a cell, sorted by arm, detector, seed and fold; figures with six decimals, empty where undefined."""
    order = sorted(results, key=lambda row: (row.cell.arm, row.cell.detector, row.cell.seed, row.cell.fold))
    write_csv(path, COLUMNS, ([result.column(name) for name in COLUMNS] for result in order))
