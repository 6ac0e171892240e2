"""Tables, statistics, plots and the report of a study, from the cells that are on disk and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detection.comparison.cell import cell_key, held_out_hash
from detection.comparison.result import Cell, CellResult
from detection.comparison.stage import COLUMNS, write_table
from detection.detectors.config import NO_AUGMENTATION

from ..core.dataset import load_dataset
from ..core.files import write_json
from ..core.stage import read_manifest
from ..core.tables import write_csv
from ..core.versions import mixture
from ..pipeline.config import RunConfig
from . import failures
from .ablations import ablation_summary
from .config import MAIN, StudyConfig
from .outcome import CellCount, Outcome
from .plan import StudyRun
from .quality import quality_summary
from .splits import SPLIT_COLUMNS, split_rows
from .statistics import (
    ABLATION_COLUMNS,
    COMPARISON_COLUMNS,
    GATE_COLUMNS,
    GateFigures,
    StudyCell,
    StudySummary,
    ablation_rows,
    comparison_rows,
    gate_rows,
    load_gates,
    read_result,
    study_cells,
    summarise_study,
    write_plots,
)
from .worst import COLUMNS as FAILURE_COLUMNS
from .worst import Worst, worst_arms
from .worst_sheets import write_worst

CATEGORY_COLUMNS = ("variant", "arm", "detector", "seed", "fold", "category", "ap50", "ap", "iou")
PLOTS = ("lift.png", "leak.png", "gates.png", "amount.png", "ablations.png", "quality.png", "quality_variants.png")
DEVICES, BACKBONES = ("cpu", "cuda"), ("efficientnet_lite0", "resnet50_coco")


@dataclass(frozen=True)
class Found:
    """A run's cells as they lie on disk: the results that count by their folders, the names that are missing, how
    many are stale."""

    run: StudyRun
    folders: dict[Path, CellResult]
    missing: list[str]
    stale: int

    @property
    def results(self) -> list[CellResult]:
        return list(self.folders.values())


def find_cells(run: StudyRun) -> Found:
    """The finished cells of a run that belong to its present configuration and photographs.

    Raises:
        InputError: a result cannot be read.
    """
    keys = _keys(run)
    expected = {cell.name: cell for cell in run.cells()}
    folders: dict[Path, CellResult] = {}
    missing, stale = [], 0
    judged = _held_out(run)
    for name, cell in expected.items():
        path = run.cell_folder(cell) / "result.json"
        result = read_result(path) if path.is_file() else None
        if result is not None and result.test_hash == judged and _is_of(result, cell, run, keys):
            folders[path.parent] = result
        else:
            stale += result is not None
            missing.append(name)
    return Found(run, folders, missing, stale)


def _held_out(run: StudyRun) -> str | None:
    if not (run.folder / "ingest" / "annotations.json").is_file():
        return None
    return held_out_hash(load_dataset(run.folder / "ingest").split(run.config.compare.split_test))


def _keys(run: StudyRun) -> dict[str, str]:
    """The keys of the run's stages, by name, as far as they are finished."""
    names = ["ingest", *(f"export@{arm.name}" for arm in run.config.arms())]
    found = {name: read_manifest(run.folder / name) for name in names}
    return {name: manifest["key"] for name, manifest in found.items() if manifest is not None}


def _is_of(result: CellResult, cell: Cell, run: StudyRun, keys: Mapping[str, str]) -> bool:
    """Whether a result was made by this configuration, on whatever device. Without the stages it came from (they may
    have been removed to save room) only its length can be compared."""
    config = run.config.compare.detect_config(cell.detector, cell.arm)
    train = keys.get("ingest" if cell.arm == NO_AUGMENTATION else f"export@{cell.arm}")
    if train is None or "ingest" not in keys:
        return config.iterations is None or result.report.iterations == config.iterations
    inputs = {"ingest": keys["ingest"], "train": train}
    return result.key in {
        cell_key(cell, config, run.config.seed, run.config.compare.split_test, device, backbone, inputs)
        for device in DEVICES
        for backbone in BACKBONES
    }


def write_tables(study: StudyConfig, runs: Sequence[StudyRun], out: Path) -> Outcome:
    """Write every table, plot and the report of a study into ``out``; the same cells give the same bytes.

    A partial study gives partial tables; the summary names the cells that are missing.

    Raises:
        InputError: a cell cannot be read.
    """
    from .report import write_report

    found = [find_cells(run) for run in runs]
    main = [result for item in found if item.run.variant == MAIN for result in item.results]
    write_table(out / "table.csv", main)
    _write_csv(out / "variants.csv", ("variant", *COLUMNS), _variant_rows(study, found))
    _write_csv(out / "categories.csv", CATEGORY_COLUMNS, _category_rows(study, found))
    outcome = Outcome(
        study.name,
        _statistics(study, found),
        count(found),
        failures.collect(out, runs),
        mixture({"versions": result.versions} for item in found for result in item.folders.values()),
        ablation_summary(study, runs, {item.run.name: item.results for item in found}),
        quality_summary(study, runs),
    )
    write_json(out / "summary.json", outcome.to_json())
    _write_csv(out / "comparisons.csv", COMPARISON_COLUMNS, comparison_rows(outcome.summary))
    written = ["table.csv", "variants.csv", "categories.csv", "comparisons.csv", "summary.json"]
    figures, measured = metrics_of(study, runs), metrics_of(study, runs, "quality")
    splits = split_rows(runs)
    for name, heads, lines in (
        ("splits.csv", SPLIT_COLUMNS, splits),
        ("gates.csv", GATE_COLUMNS, gate_rows(outcome.summary)),
        ("gate_figures.csv", *_figure_rows(figures)),
        ("ablations.csv", ABLATION_COLUMNS, ablation_rows(outcome.ablations)),
        ("quality.csv", ABLATION_COLUMNS, ablation_rows(outcome.quality)),
        ("quality_figures.csv", *_figure_rows(measured)),
    ):
        if lines:
            _write_csv(out / name, heads, lines)
            written.append(name)
        else:
            (out / name).unlink(missing_ok=True)
    # a plot of an earlier state of the study must not outlive what it showed
    plots = write_plots(out, outcome.summary, outcome.ablations, outcome.quality)
    for name in set(PLOTS) - set(plots):
        (out / name).unlink(missing_ok=True)
    worst = write_failures(out, found)
    write_report(out, study, runs, outcome, plots, figures, splits, worst)
    return replace(outcome, written=[*written, *plots, *worst, "report.html"])


def write_failures(out: Path, found: Sequence[Found]) -> dict[str, Worst]:
    """The failure pictures of main's arms and ``failures.csv``; what each picture shows."""
    worst = worst_arms([(item.run, item.folders) for item in found if item.run.variant == MAIN])
    rows = [loss.row(one.arm, one.detector) for one in worst for loss in one.losses]
    if rows:
        _write_csv(out / "failures.csv", FAILURE_COLUMNS, rows)
    else:
        (out / "failures.csv").unlink(missing_ok=True)
    return write_worst(out, worst)


def count(found: Sequence[Found]) -> CellCount:
    """How much of the study is there, in all and by variant."""
    finished, missing = sum(len(item.results) for item in found), sum(len(item.missing) for item in found)
    variants: dict[str, dict[str, int]] = {}
    for item in found:
        part = variants.setdefault(item.run.variant, {"finished": 0, "expected": 0})
        part["finished"] += len(item.results)
        part["expected"] += len(item.results) + len(item.missing)
    names = [f"{item.run.name}/{name}" for item in found for name in item.missing]
    return CellCount(finished, finished + missing, variants, names, sum(item.stale for item in found))


def _statistics(study: StudyConfig, found: Sequence[Found]) -> StudySummary:
    cells: dict[str, list[StudyCell]] = {name: [] for name in study.variant_names()}
    gates: dict[str, list[GateFigures]] = {name: [] for name in study.variant_names()}
    configs: dict[str, RunConfig] = {}
    for item in found:
        run = item.run
        cells[run.variant] += study_cells(run.folder, item.folders, run.config.compare.split_test)
        gates[run.variant] += load_gates(run.folder, run.fold)
        configs.setdefault(run.variant, run.config)
    return summarise_study(cells, gates_by_variant=gates, configs=configs)


def metrics_of(study: StudyConfig, runs: Sequence[StudyRun], stage: str = "gate") -> list[tuple[str, GateFigures]]:
    """What the gates (or another stage of their kind) measured, each with its variant: how good the photographs are,
    with or without a detector."""
    found = [(run.variant, item) for run in runs for item in load_gates(run.folder, run.fold, stage)]
    order = study.variant_names()
    return sorted(found, key=lambda row: (order.index(row[0]), row[1].arm, row[1].fold, row[1].category))


def _figure_rows(figures: Sequence[tuple[str, GateFigures]]) -> tuple[tuple[str, ...], list[dict[str, object]]]:
    """Columns and rows of a CSV file: one per variant, arm, fold and category."""
    rows: list[dict[str, object]] = [
        {"variant": variant, "arm": of.arm, "fold": of.fold, "category": of.category, **of.figures}
        for variant, of in figures
    ]
    return tuple(dict.fromkeys(name for row in rows for name in row)), rows


def _variant_rows(study: StudyConfig, found: Sequence[Found]) -> list[dict[str, object]]:
    return [
        {"variant": variant, **{name: result.column(name) for name in COLUMNS}}
        for variant, result in _results(study, found)
    ]


def _category_rows(study: StudyConfig, found: Sequence[Found]) -> list[dict[str, object]]:
    return [
        {
            "variant": variant,
            **{name: result.column(name) for name in ("arm", "detector", "seed", "fold")},
            "category": name,
            **{key: getattr(figures, key) for key in ("ap50", "ap", "iou")},
        }
        for variant, result in _results(study, found)
        for name, figures in sorted(result.figures.categories.items())
    ]


def _results(study: StudyConfig, found: Sequence[Found]) -> list[tuple[str, CellResult]]:
    """Every finished cell with its variant, in the order of the tables."""
    order = study.variant_names()

    def place(row: tuple[str, CellResult]) -> tuple[object, ...]:
        cell = row[1].cell
        return order.index(row[0]), cell.arm, cell.detector, cell.seed, cell.fold

    return sorted(((item.run.variant, result) for item in found for result in item.results), key=place)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    write_csv(path, columns, ([row.get(name) for name in columns] for row in rows))
