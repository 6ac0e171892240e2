"""How good the photographs of every variant are: few objects against many, other settings, one model a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core.errors import RunBusy
from ..core.stage import Context, read_manifest, run_lock, run_stage
from ..report.tables import flatten
from ..synthesis.gate.config import source_keys
from . import failures
from .config import MAIN, StudyConfig, split_repeat
from .plan import StudyRun
from .prepare import Say
from .statistics import Ablations, GateFigures, Trained, ablation_study, gate_aims, load_gates

DESCRIBED = ("data", "train", "train_methods")


def measure_all(runs: Sequence[StudyRun], say: Say) -> None:
    """Measure every run whose photographs, and whose fold's ``main``, are there; what is measured is kept.

    A failure becomes a file beside its run, as any other of a study.
    """
    from . import measure

    for run in runs:
        main = next((other for other in runs if other.variant == MAIN and other.fold == run.fold), None)
        if main is None or read_manifest(main.folder / "ingest") is None:
            continue
        real = {
            name: main.folder / name
            for name in ("ingest", "label_check")
            if read_manifest(main.folder / name) is not None
        }
        for arm in run.config.arms():
            made, name = run.folder / f"generate@{arm.name}", f"quality@{arm.name}"
            if read_manifest(made) is None:
                continue
            gate = main.config.gate.model_copy(update={"method": arm.method})
            context = Context(run.config.seed, run.config.device, {**real, "generate": made})
            try:
                with run_lock(run.folder):
                    worked = run_stage(name, measure.run, gate, context, run.folder / name, source_keys())
            except RunBusy:
                say(f"{run.name}: another shard measures it")
            except Exception as error:
                if failures.stops_all(error):
                    raise
                failures.record(run.folder, name, error)
            else:
                failures.forget(run.folder, name)
                if worked:
                    say(f"{run.name}: {name}: done → {run.folder / name}")


def quality_summary(study: StudyConfig, runs: Sequence[StudyRun]) -> Ablations | None:
    """Every variant's figures, and their differences to main over the categories that both have; ``objects`` is how
    many real objects a category each variant learned from (None: all). None where nothing was measured.

    Where objects are few, every repeat learned from others: an interval over repeats knows of their draw.
    """
    trained = [item for run in runs for item in _trained(run)]
    changed = {name: changes(over) for name, over in study.variants.items()}
    found = ablation_study(trained, changed)
    if found is None:
        return None
    objects = {split_repeat(run.variant)[0]: run.config.data.objects for run in runs}
    return replace(found, objects={name: objects.get(name) for name in (MAIN, *changed)})


def changes(over: Mapping[str, Any]) -> str:
    """``objects: 2``, ``categories: crack``: what a variant changes of photographs and training, in short."""
    found = [
        (name.partition(".")[2], value)
        for section in DESCRIBED
        if section in over
        for name, value in flatten(over[section], section)
    ]
    return ", ".join(f"{name}: {value}" for name, value in found)


def _trained(run: StudyRun) -> list[Trained]:
    variant, repeat = split_repeat(run.variant)
    by_arm: dict[str, list[GateFigures]] = {}
    for item in load_gates(run.folder, run.fold, "quality"):
        by_arm.setdefault(item.arm, []).append(item)
    return [Trained(variant, run.fold, repeat, arm, gate_aims(gates)) for arm, gates in sorted(by_arm.items())]
