"""What all verbs share: their common options, running one stage of a run folder, reading what it measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigError
from ..core.renamed import EXEMPLAR, newest

if TYPE_CHECKING:
    from ..pipeline.config import RunConfig
    from ..pipeline.plan import Step

RunFolder = Annotated[Path, typer.Option("--run", help="Run folder that holds the stages.")]
Settings = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the configuration; may be repeated."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of every random choice.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
MethodName = Annotated[
    str,
    typer.Option(
        "--method",
        help="A generation method, such as anomaly_gan or copy_paste.",
        callback=lambda name: newest(name, EXEMPLAR, "the method"),
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        "--time-budget",
        metavar="1h30m",
        help="Time for each training, as 25m or 90s: it does its best in it and ends with a usable model.",
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
    str, typer.Option("--engine", help="local: this machine's own processes; ray: tasks of a Ray cluster.")
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto", help="With --engine ray: auto, or HOST:6379; default: a cluster of this machine alone."
    ),
]
ConfigFile = Annotated[Path, typer.Argument(help="YAML of a run; see anomaly_gan/configs.")]


def work_stage(
    run: Path,
    name: str,
    section: str,
    settings: list[str],
    method: str | None = None,
    seed: int | None = None,
    device: str | None = None,
    lenient: bool = False,
) -> None:
    """Run one stage of a run folder: its configuration is the run's own (run.yaml, if there is one) and ``--set``."""
    from ..core.stage import read_manifest
    from ..pipeline.plan import Step, plan

    config = read_section(run, section, settings, method, seed, device)
    step = next(step for step in plan(config) if step.name == name)
    if lenient:
        there = {name: folder for name, folder in step.inputs.items() if read_manifest(run / folder)}
        step = Step(step.name, step.stage, step.config, there)
    work_step(config, run, step)


def work_step(config: RunConfig, run: Path, step: Step) -> None:
    """Run one step of a run folder unless it is fresh, and say so."""
    from ..core.progress import stage
    from ..core.stage import run_lock
    from ..pipeline.run import run_step

    with run_lock(run), stage(step.name):
        worked = run_step(config, run, step)
    typer.echo(f"{step.name}: {'done' if worked else 'fresh, nothing to do'} → {run / step.name}")


def read_section(
    run: Path, section: str, settings: list[str], method: str | None, seed: int | None, device: str | None
) -> RunConfig:
    from ..core.config import apply_settings, build, read_yaml
    from ..pipeline.config import RunConfig

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


def budget_settings(key: str, time_budget: str | None) -> list[str]:
    """``--time-budget`` as a ``--set`` of that key.

    Raises:
        ConfigError: no length of time.
    """
    budget = read_budget(time_budget)
    return [] if budget is None else [f"{key}={budget}"]


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
    import json

    path = folder / "metrics.json"
    if not path.is_file():
        raise ConfigError(f"{folder}: no finished stage here")
    return json.loads(path.read_text(encoding="utf-8"))
