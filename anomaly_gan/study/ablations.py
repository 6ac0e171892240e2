"""The ablation table of a study: its variants of a training, from the finished gates and cells of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detection.comparison.result import CellResult

from ..report.tables import flatten
from ..synthesis.registry import training_of
from .config import MAIN, StudyConfig, split_repeat
from .plan import StudyRun
from .statistics import Ablations, GateFigures, Trained, ablation_study, gate_aims, load_gates

SWITCHING = frozenset({"train", "train_methods", "folds"})
"""A variant that changes nothing else of a run is an ablation."""


def ablation_summary(
    study: StudyConfig, runs: Sequence[StudyRun], cells: Mapping[str, Sequence[CellResult]]
) -> Ablations | None:
    """What every ablation does, with a sentence each; None where the study has none or none is trained yet.

    Args:
        cells: results of the finished cells by the name of their run; none in a study that trains no detector.
    """
    changed = {name: text for name, over in study.variants.items() if (text := what_changes(over))}
    if not changed:
        return None
    trained = [
        item
        for run in runs
        if split_repeat(run.variant)[0] in (MAIN, *changed)
        for item in _trained(run, cells.get(run.name, ()))
    ]
    touched = _touched(study, runs, changed)
    return ablation_study([item for item in trained if item.arm in touched], changed)


def what_changes(over: Mapping[str, Any]) -> str:
    """``r1: 5, r1_every: 4`` of a variant that changes training alone; nothing of any other."""
    if not set(over) <= SWITCHING:
        return ""
    parts = [(over.get("train") or {}), *((over.get("train_methods") or {}).values())]
    return ", ".join(f"{name}: {value}" for part in parts for name, value in flatten(part))


def _touched(study: StudyConfig, runs: Sequence[StudyRun], changed: Mapping[str, str]) -> set[str]:
    """The arms whose training an ablation changes."""
    trainings: dict[str, list[Any]] = {}
    for variant in (MAIN, *changed):
        run = next((run for run in runs if run.variant == variant), None)
        for arm in run.config.arms() if run else ():
            learner = training_of(arm.method)
            if run and learner:
                trainings.setdefault(arm.name, []).append(run.config.training(learner))
    return {arm for arm, of in trainings.items() if any(one != of[0] for one in of)}


def _trained(run: StudyRun, cells: Sequence[CellResult]) -> list[Trained]:
    variant, repeat = split_repeat(run.variant)
    gates: dict[str, list[GateFigures]] = {}
    for item in load_gates(run.folder, run.fold):
        gates.setdefault(item.arm, []).append(item)
    arms = {arm.name for arm in run.config.arms()}
    result = []
    for arm in sorted(arms & (gates.keys() | {item.cell.arm for item in cells})):
        figures = gate_aims(gates.get(arm, ()))
        judged = {
            f"{item.cell.detector} {item.cell.seed}": item.figures.map50
            for item in cells
            if item.cell.arm == arm and item.figures.map50 is not None
        }
        result.append(Trained(variant, run.fold, repeat, arm, {**figures, **({"ap50": judged} if judged else {})}))
    return result
