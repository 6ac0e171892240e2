"""The comparison: every arm trains the same detector with every seed, and all are judged on the same photographs."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.manifest import Context, finished_key
from anomaly_gan.core.records import load_dataset

from .cells import Cell, CellJob, cell_key, held_out_hash, training_data
from .config import NO_AUGMENTATION, CompareConfig

COLUMNS = ("arm", "detector", "seed", "fold", "map50", "map", "miou", "n_real", "n_synthetic", "iterations")
Result = dict[str, Any]


def run(config: CompareConfig, context: Context, out: Path) -> dict[str, Any]:
    """Stage function. ``context.inputs``: ``ingest``, and ``export@ARM`` for each arm but ``none``.

    Writes ``cells/NAME/result.json`` and ``detections.json``, ``table.csv``, ``summary.json``, ``lift.png`` and
    ``detections.png``. Finished cells are kept when a run goes on; a cut-off cell resumes from its checkpoint.

    Raises:
        ConfigError: an arm has no ``export@ARM`` among the inputs.
        InputError: the test split is empty or shows no defect; a training set holds something of the test split.
    """
    from .plot import write_detections, write_lift
    from .summary import summarise

    ingest = context.inputs["ingest"]
    test = load_dataset(ingest).split(config.split_test)
    if not test.annotations:
        raise InputError(str(ingest), "K8", f"split {config.split_test!r} shows no defect to judge on",
                         "ingest with a test share that holds defects")
    jobs = plan(config, context, out)
    for arm, train in {job.cell.arm: job.train for job in jobs}.items():
        training_data(arm, ingest, train, test)  # each cell checks again; this finds a leak before hours of training
    _run_missing([job for job in jobs if not job.finished()], config)
    results = [json.loads((job.folder / "result.json").read_text(encoding="utf-8")) for job in jobs]
    expected = held_out_hash(test)
    if any(result["test_hash"] != expected for result in results):
        raise InputError(str(out), "K8", "a cell was judged on another test split", "delete the folder and run again")
    write_table(out / "table.csv", results)
    found = {job.cell.name: json.loads((job.folder / "detections.json").read_text(encoding="utf-8")) for job in jobs}
    summary = summarise(results, found, test, config, context.seed)
    write_json(out / "summary.json", summary)
    write_lift(out / "lift.png", summary)
    write_detections(out / "detections.png", test, {
        job.cell.arm: found[job.cell.name] for job in jobs if job.cell.seed == config.seed_list()[0]
    }, config.detect.score_threshold)
    return {"cells": len(results), "arms": {arm: {name: item[name]["mean"] for name in ("map50", "map", "miou")
                                                  if item[name] is not None}
                                            for arm, item in summary["arms"].items()},
            "test": summary["test"], "sentences": [item["sentence"] for item in summary["arms"].values()]}


def plan(config: CompareConfig, context: Context, out: Path) -> list[CellJob]:
    """Every cell, seed by seed so that a stopped run holds whole comparisons, with the folder it reads and writes."""
    from .backbones import choose_backbone

    missing = [arm for arm in config.arms if arm != NO_AUGMENTATION and f"export@{arm}" not in context.inputs]
    if missing:
        raise ConfigError(f"compare.arms: no export for {', '.join(missing)}; run these methods to their export, "
                          "or take them out of compare.arms")
    device, backbone = _device(context.device), choose_backbone(config.detect.backbone)
    ingest = context.inputs["ingest"]
    jobs = []
    for seed in config.seed_list():
        for arm in config.arms:
            cell = Cell(arm, config.detect.detector, config.fold, seed)
            train = ingest if arm == NO_AUGMENTATION else context.inputs[f"export@{arm}"]
            key = cell_key(cell, config.detect, context.seed, config.split_test, device, backbone,
                           {"ingest": finished_key(ingest), "train": finished_key(train)})
            jobs.append(CellJob(cell, config.detect, ingest, train, out / "cells" / cell.name, config.split_test,
                                context.seed, device, key))
    return jobs


def _device(wanted: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def _run_missing(jobs: Sequence[CellJob], config: CompareConfig) -> None:
    from .workers import run_here, run_in_processes

    if not jobs:
        return
    workers = config.workers or (len(os.sched_getaffinity(0)) if jobs[0].device == "cpu" else 1)
    if jobs[0].device != "cpu" and workers == 1:
        run_here(jobs)
    else:
        run_in_processes(jobs, workers)


def write_table(path: Path, results: Sequence[Result]) -> None:
    """One row a cell, sorted by arm, detector, seed and fold; figures with six decimals, empty where undefined."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for result in sorted(results, key=lambda row: (row["arm"], row["detector"], row["seed"], row["fold"])):
        table.writerow([_shown(result[name]) for name in COLUMNS])
    write_text(path, text.getvalue())


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)
