"""Verbs that act on a whole run or study: demo, run, status, compare, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ConfigError
from .options import (
    ConfigFile,
    Device,
    Seed,
    Settings,
    TimeBudget,
    budget_settings,
    work_stage,
)

verbs = typer.Typer()


@verbs.command(epilog="Example: anomaly-gan demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo"),
    settings: Settings = [],
    seed: Seed = None,
    device: Device = None,
) -> None:
    """The whole pipeline on the embedded sample set, to RUN/report.html."""
    from ..core.resources import PACKAGE

    _run(PACKAGE / "configs" / "demo.yaml", out, settings, seed, device)


@verbs.command(
    "run", epilog="Example: anomaly-gan run anomaly_gan/configs/magnetic_tile.yaml --set preset=smoke --out runs/tiles"
)
def run_(
    config: ConfigFile,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First stage to run.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last stage to run.")] = None,
    time_budget: TimeBudget = None,
    settings: Settings = [],
    seed: Seed = None,
    device: Device = None,
) -> None:
    """All stages of a run: skips what is fresh, resumes what was cut off."""
    _run(config, out, settings + budget_settings("train.time_budget", time_budget), seed, device, first, last)


@verbs.command(epilog="Example: anomaly-gan status runs/demo")
def status(run: Annotated[Path, typer.Argument(help="Run folder.")]) -> None:
    """The state of every stage of a run: fresh, stale, unfinished or missing."""
    from ..pipeline.status import status as states

    for name, state in states(run):
        typer.echo(f"{name:24} {state}")


@verbs.command(
    epilog="Examples: anomaly-gan compare anomaly_gan/configs/study_smoke.yaml --out runs/study;  "
    "the same with --shard 0/2 and, in a second process, --shard 1/2;  with --tables-only;  "
    "anomaly-gan compare --run runs/mine --set seeds=5"
)
def compare(
    config: Annotated[Path | None, typer.Argument(help="YAML of a study; see anomaly_gan/configs.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="Compare the arms of this one run instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default runs/NAME.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="This process's share of the cells, from 0/N "
            "to N-1/N; one process each, unless compare.workers says more.",
        ),
    ] = None,
    tables_only: Annotated[
        bool,
        typer.Option("--tables-only", help="Train nothing: write tables, plots and report anew from the saved cells."),
    ] = False,
    settings: Settings = [],
    seed: Seed = None,
    device: Device = None,
) -> None:
    """Folds × variants × arms × detectors × seeds: whole runs with one table and one report, every cell resumable.

    With --run: the comparison of one run.
    """
    if (config is None) == (run is None):
        raise ConfigError("compare: give the YAML of a study, or --run with the folder of one run")
    if run is not None:
        if out is not None or shard is not None or tables_only:
            raise ConfigError("compare: --out, --shard and --tables-only go with a study's YAML, not with --run")
        work_stage(run, "compare", "compare", settings, seed=seed, device=device)
        typer.echo((run / "compare" / "table.csv").read_text(encoding="utf-8").rstrip())
    elif config is not None:
        _study(config, out, settings, seed, device, shard, tables_only)


@verbs.command(epilog="Example: anomaly-gan report runs/mine")
def report(run: Annotated[Path, typer.Argument(help="Run folder.")], settings: Settings = []) -> None:
    """One self-contained report.html from whatever stages have finished."""
    from ..pipeline.run import publish_report

    work_stage(run, "report", "report", settings, lenient=True)
    publish_report(run)
    typer.echo(f"report: {run / 'report.html'}")


def _run(
    config: Path,
    out: Path | None,
    settings: list[str],
    seed: int | None,
    device: str | None,
    first: str | None = None,
    last: str | None = None,
) -> None:
    from ..core.stage import run_lock
    from ..pipeline.config import read_run_config
    from ..pipeline.plan import plan, select
    from ..pipeline.run import execute

    resolved = read_run_config(config, settings, seed, device)
    run = out or Path("runs") / resolved.name
    steps = select(plan(resolved), first, last)
    with run_lock(run):
        execute(resolved, run, steps, lambda line: typer.echo(line, err=True))
    if any(step.name == "compare" for step in steps):
        for line in _verdicts(run / "compare" / "summary.json"):
            typer.echo(line)
    finished = run / "report.html" if steps[-1].name == "report" else run / steps[-1].name
    typer.echo(f"done: {finished}")


def _study(
    config: Path,
    out: Path | None,
    settings: list[str],
    seed: int | None,
    device: str | None,
    shard: str | None,
    tables_only: bool,
) -> None:
    from ..study.config import read_study
    from ..study.run import read_shard, run_study

    part = read_shard(shard)
    study, base = read_study(config, settings, seed, device)
    folder = out or Path("runs") / study.name
    done = run_study(study, base, folder, lambda line: typer.echo(line, err=True), part, tables_only)
    for line in done.summary["sentences"]:
        typer.echo(line)
    typer.echo(f"{done.finished} of {done.expected} cells: {', '.join(done.written)} → {folder}")
    done.check(folder)


def _verdicts(summary: Path) -> list[str]:
    """What the comparison says of each arm, in its own sentences."""
    import json

    return [arm["sentence"] for arm in json.loads(summary.read_text(encoding="utf-8"))["arms"].values()]
