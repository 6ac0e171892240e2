"""The runs of a study and the cells they shall have, in the order in which they are worked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.comparison.cell import Cell

from ..core.config import build
from ..core.errors import ConfigError
from ..pipeline.config import RunConfig
from ..pipeline.plan import Step
from ..pipeline.plan import plan as plan_run
from .config import StudyConfig, split_repeat, variant_content


@dataclass(frozen=True)
class StudyRun:
    """One run of a study: a variant on a fold, in the folder ``STUDY/VARIANT/foldF``."""

    variant: str
    fold: int
    config: RunConfig
    folder: Path
    until: str = "compare"

    @property
    def name(self) -> str:
        return f"{self.variant}/fold{self.fold}"

    def steps(self) -> list[Step]:
        """All that comes before the comparison, or to the end of the stage it goes ``until``."""
        steps = plan_run(self.config)
        last = max(place for place, step in enumerate(steps) if step.stage.name == self.until)
        return steps[:last] if self.until == "compare" else steps[: last + 1]

    def compare(self) -> Step:
        return next(step for step in plan_run(self.config) if step.name == "compare")

    def cells(self) -> list[Cell]:
        """All cells it shall have; none where it ends before the comparison."""
        if self.until != "compare":
            return []
        compare = self.config.compare
        return [
            Cell(arm, detector, compare.fold, seed)
            for seed in compare.seed_list()
            for detector in compare.detector_list()
            for arm in compare.arms
        ]

    def cell_folder(self, cell: Cell) -> Path:
        return self.folder / "compare" / "cells" / cell.name


@dataclass(frozen=True)
class PlannedCell:
    run: StudyRun
    cell: Cell

    @property
    def name(self) -> str:
        return f"{self.run.name}/{self.cell.name}"

    @property
    def folder(self) -> Path:
        return self.run.cell_folder(self.cell)


def plan_study(study: StudyConfig, base: dict[str, object], out: Path) -> list[StudyRun]:
    """Every run, repeat by repeat, in each fold by fold, and in each of these the main variant first.

    Raises:
        ConfigError: a value that a run cannot have; the message names the variant.
    """
    runs = []
    for variant in study.variant_names():
        for fold in study.folds_of(variant) or (None,):
            runs.append(_run(study, base, variant, fold, out))
    order = study.variant_names()
    return sorted(runs, key=lambda run: (split_repeat(run.variant)[1], run.fold, order.index(run.variant)))


def _run(study: StudyConfig, base: dict[str, Any], variant: str, fold: int | None, out: Path) -> StudyRun:
    where = f"{study.name}: variant {variant}"
    content = variant_content(study, base, variant) | {"name": study.name}
    data, compare = dict(content.get("data") or {}), dict(content.get("compare") or {})
    number = fold if fold is not None else data.get("fold")
    if fold is not None:
        data["fold"] = fold
    if number is not None:
        compare["fold"] = number
    if study.first_seed:
        seeds = compare.get("seeds", RunConfig.model_fields["compare"].default.seeds)
        if not isinstance(seeds, int):
            raise ConfigError(f"{where}: first_seed goes with a number of seeds, compare.seeds is a list")
        compare["seeds"] = list(range(study.first_seed, study.first_seed + seeds))
    config = build(RunConfig, content | {"data": data, "compare": compare}, where)
    try:
        plan_run(config)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return StudyRun(variant, config.compare.fold, config, out / variant / f"fold{config.compare.fold}", study.until)


def planned_cells(runs: Sequence[StudyRun]) -> list[PlannedCell]:
    """Every cell of the study, seed by seed, in each seed fold by fold: a stopped study holds whole comparisons."""
    cells = [PlannedCell(run, cell) for run in runs for cell in run.cells()]
    place = {run.name: number for number, run in enumerate(runs)}
    return sorted(cells, key=lambda item: (item.cell.seed, place[item.run.name]))
