"""The benchmark: every class in turn, every seed, one table. Finished cells are never computed again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomaly_gan.core.devices import place_of
from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.core.files import write_json
from anomaly_gan.core.progress import progress_bar
from anomaly_gan.core.stage import run_lock
from anomaly_gan.engine.cluster import active
from anomaly_gan.engine.jobs import Sitting
from anomaly_gan.engine.workers import run_all

from .config import INDUSTRIAL, BenchmarkConfig
from .summary import Row, summarise, write_categories, write_summary, write_table


def run_benchmark(config: BenchmarkConfig, out: Path) -> list[Row]:
    """Run what is missing of ``out`` and write ``table.csv``, ``summary.csv``, ``categories.csv``, ``settings.json``
    and ``report.html``; returns the summary. Runs with other detectors, sets, protocols and seeds may share ``out``:
    each call's tables are those of its own cells.

    ``out/cells/NAME/`` holds each cell's ``result.json`` and ``scores.npz``; killed at any moment, the same call
    goes on.

    Raises:
        ConfigError: a class, fold or setting that is not there; no ``data.root``.
        InputError: the data are missing or broken.
        EnvironmentFailure: another process works in ``out``.
    """
    from .report import write_report

    jobs = plan(config, out)
    with run_lock(out):
        _run_missing(jobs, config)
        results = [result for job in jobs if (result := job.result()) is not None]
        if len(results) != len(jobs):
            raise EnvironmentFailure(f"{out}: {len(jobs) - len(results)} cells have vanished; run again")
        summary = summarise(results)
        write_table(out / "table.csv", results)
        write_summary(out / "summary.csv", summary)
        write_categories(out / "categories.csv", results)
        write_json(
            out / "settings.json",
            {
                "benchmark": config.model_dump(mode="json", exclude={"data": {"root"}, "workers": True}),
                "split": config.split(),
                "detector": dict(results[0].settings),
            },
        )
        write_report(out / "report.html", config, results, [job.folder for job in jobs], summary)
    return summary


def plan(config: BenchmarkConfig, out: Path) -> list[Any]:
    """Every cell, seed by seed so that a stopped run holds whole averages."""
    from .cells import Cell, CellJob, cell_key, class_of

    device = place_of(config.device)
    numbers, data_hash = _numbers(config)
    jobs = []
    for seed in range(config.first_seed, config.first_seed + config.seeds):
        for number, normal in numbers:
            cell = Cell(config.detector, config.dataset, config.protocol, number, normal, seed)
            key = cell_key(cell, config, config.detector_settings(class_of(cell)), device, data_hash)
            jobs.append(CellJob(cell, config, out / "cells" / cell.name, device, key))
    return jobs


def _numbers(config: BenchmarkConfig) -> tuple[list[tuple[int, str]], str]:
    """([(number, the table's name for it)], hash of the data)."""
    if config.dataset in INDUSTRIAL:
        from .industrial_trial import cells_of, source_hash

        return cells_of(config), source_hash(config)
    from .cells import classes_of
    from .splits import class_numbers, title

    parts = classes_of(config.dataset, config.data.root)
    names = parts[0].names
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.images_NCHW.shape}{part.labels.tolist()}".encode())
        digest.update(part.images_NCHW.data)
    return [
        (number, title(number, config.split(), names, config.data.categories))
        for number in class_numbers(config.normal, names)
    ], digest.hexdigest()


def _run_missing(jobs: Sequence[Any], config: BenchmarkConfig) -> None:
    missing = [job for job in jobs if job.result() is None]
    if not missing:
        return
    workers = min(config.workers or (len(os.sched_getaffinity(0)) if jobs[0].device == "cpu" else 1), len(missing))
    if workers > 1 or active():
        run_all(missing, workers, Sitting("benchmark", "set workers=1, or a smaller settings.batch"))
        return
    with progress_bar("benchmark", len(missing)) as bar:
        for job in missing:
            bar.note = str(job.cell.normal)
            job.run()
            bar.update()
