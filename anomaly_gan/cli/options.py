"""What all verbs share: their common options, running one stage of a run folder, reading what it measured."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigError
from ..core.renamed import EXEMPLAR, newest
from .fields import common

if TYPE_CHECKING:
    from ..ingestion.reading import ReadingConfig
    from ..pipeline.config import RunConfig
    from ..pipeline.plan import Step

RunFolder = Annotated[Path, typer.Option("--run", help="Run folder that holds the stages.")]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value of the configuration; may be repeated. --NAME VALUE is short for it.",
    ),
]
MethodName = Annotated[
    str,
    typer.Option(
        "--method",
        help="A generation method, such as anomaly_gan or copy_paste.",
        callback=lambda name: newest(name, EXEMPLAR, "the method"),
    ),
]
RunBudget = Annotated[
    str | None,
    typer.Option(
        "--time-budget",
        metavar="45m",
        help="Time for the whole run, as 45m or 2h: trainings and comparison share what the other stages leave, and "
        "it ends with a report. Counts on where the same command goes on.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="local: this machine's own processes; ray: tasks of a Ray cluster of this machine alone; ray:auto or "
        "ray:HOST:6379: of the cluster that is there; ray:auto,cpus=2,gpus=0.5,memory=8G,retries=5: what one takes.",
    ),
]
RunArgument = Annotated[Path, typer.Argument(help="Run folder.")]
Model = Annotated[Path, typer.Option("--model", help="Folder of a trained model.")]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="CSV (file, group[, fold]): which photographs show the same part.")
]
GroupRegex = Annotated[
    str | None,
    typer.Option("--group-regex", help="Or a regular expression on the file name; its first group names the part."),
]
FalseAlarm = Annotated[
    float | None,
    typer.Option("--false-alarm", help="Share of sound parts that may raise an alarm; sets the threshold."),
]
Overlays = Annotated[int, typer.Option("--overlays", min=0, help="Most photographs to draw what was found on.")]
AlsoJson = Annotated[Path | None, typer.Option("--out", help="Also write everything as JSON.")]
StudyFolder = Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/NAME.")]
TablesOnly = Annotated[
    bool,
    typer.Option("--tables-only", help="Train nothing: write tables, plots and report anew from the saved cells."),
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
LOADS_LONG = ("train", "generate", "gate")
"""Stages whose libraries take seconds to load: what they do is said before."""
ConfigFile = Annotated[Path, typer.Argument(help="YAML of a run; see anomaly_gan/configs.")]


def begins(verb: str, read: list[Path], written: Path | None = None) -> None:
    """Say what is read and written, before a verb loads libraries for seconds; of what is not there its error tells."""
    from ..core.progress import say

    if not all(path.exists() for path in read):
        return
    say(f"{verb}: {', '.join(map(str, read))}{f' → {written}' if written else ''}")


def work_stage(
    run: Path,
    name: str,
    section: str,
    settings: list[str],
    method: str | None = None,
    lenient: bool = False,
) -> None:
    """Run one stage of a run folder: its configuration is the run's own (run.yaml, if there is one) and ``--set``."""
    from ..core.stage import read_manifest
    from ..pipeline.budget import note_of
    from ..pipeline.plan import Step, plan

    config = read_section(run, section, settings, method)
    step = next(step for step in plan(config) if step.name == name)
    if lenient:
        needed = [name for name, folder in step.inputs.items() if name == "ingest" or read_manifest(run / folder)]
        there = {name: step.inputs[name] for name in needed}
        step = Step(step.name, step.stage, step.config, there)
    work_step(config, run, step, note_of(run) if name == "report" else "")


def work_step(config: RunConfig, run: Path, step: Step, note: str = "") -> None:
    """Run one step of a run folder unless it is fresh, and say so. ``note``: what a report says first."""
    from ..core.progress import say, silence, stage
    from ..core.ranks import follows
    from ..core.stage import read_manifest, run_lock
    from ..pipeline.run import run_step

    if follows():
        silence()
    with run_lock(run), stage(step.name):
        if step.stage.name in LOADS_LONG and all(read_manifest(run / folder) for folder in step.inputs.values()):
            say(f"{step.name}: {', '.join(step.inputs.values())} → {run / step.name}")
        worked = run_step(config, run, step, note=note)
    if follows():
        return
    typer.echo(f"{step.name}: {'done' if worked else 'fresh, nothing to do'} → {run / step.name}")


def read_section(run: Path, section: str, settings: list[str], method: str | None = None) -> RunConfig:
    from ..core.config import apply_settings, build, read_yaml
    from ..pipeline.config import RunConfig

    settings, seed, device = common(settings)
    saved = run / "run.yaml"
    content: dict[str, Any] = read_yaml(saved) if saved.is_file() else {"data": {"root": str(run / "ingest")}}
    if section == "train" and method:
        trainings = content.get("train_methods") or {}
        content["train_methods"] = {**trainings, method: apply_settings(trainings.get(method) or {}, settings)}
    else:
        content[section] = apply_settings(content.get(section) or {}, settings)
    content |= {key: value for key, value in (("seed", seed), ("device", device)) if value is not None}
    config = build(RunConfig, content, str(saved))
    if method and method not in config.compare.arms:
        arms = config.compare.model_copy(update={"arms": (*config.compare.arms, method)})
        config = config.model_copy(update={"compare": arms})
    return config


def told_reading(settings: list[str], where: str) -> tuple[ReadingConfig, list[str]]:
    """What the settings say on how photographs are read, and those that say something else.

    Raises:
        ConfigError: a value that the field cannot have.
    """
    from ..core.config import apply_settings, build
    from ..ingestion.reading import ReadingConfig

    own = [item for item in settings if item.partition("=")[0].strip() in ReadingConfig.model_fields]
    return build(ReadingConfig, apply_settings({}, own), where), [item for item in settings if item not in own]


def only_reading(settings: list[str], where: str) -> tuple[ReadingConfig, str]:
    """How photographs are read, and the device, for a verb that takes no other setting.

    Raises:
        ConfigError: another setting.
    """
    said = common(settings)
    reading, others = told_reading(said.settings, where)
    if others or said.seed is not None:
        name = others[0].partition("=")[0].strip() if others else "seed"
        raise ConfigError(f"{where}: --set {name}: takes only {', '.join(type(reading).model_fields)} and device")
    return reading, said.device or "auto"


def read_budget(time_budget: str | None) -> str | None:
    """``--time-budget`` in its one spelling.

    Raises:
        ConfigError: no length of time.
    """
    from ..core.durations import canonical

    try:
        return None if time_budget is None else canonical(time_budget)
    except ValueError as error:
        raise ConfigError(f"--time-budget: {error}") from error


def read_metrics(folder: Path) -> dict[str, Any]:
    from ..core.json_files import read_as

    path = folder / "metrics.json"
    if not path.is_file():
        raise ConfigError(f"{folder}: no finished stage here")
    return read_as(path, dict)


def on_engine(told: str) -> AbstractContextManager[None]:
    """Jobs of the body run on ``--engine`` (``engine.cluster.read_engine``).

    Raises:
        ConfigError: no such engine, or it is not to be reached there.
    """
    from ..engine import cluster

    return cluster.engine(told)
