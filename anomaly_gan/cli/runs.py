"""Verbs that act on a whole run or study: demo, run, status, compare, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ConfigError
from ..core.resources import shipped
from .options import (
    ConfigFile,
    EngineName,
    RunArgument,
    RunBudget,
    Settings,
    StudyFolder,
    TablesOnly,
    on_engine,
    read_budget,
    read_section,
    work_stage,
)

verbs = typer.Typer()


@verbs.command(epilog="anomaly-gan demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo"),
    time_budget: RunBudget = None,
    settings: Settings = [],
) -> None:
    """The whole pipeline on the embedded sample set, to RUN/report.html."""
    from ..core.resources import PACKAGE

    _run(PACKAGE / "configs" / "demo.yaml", out, settings, time_budget=time_budget)


@verbs.command(
    "run", epilog="anomaly-gan run anomaly_gan/configs/magnetic_tile.yaml --set preset=smoke --out runs/tiles"
)
def run_(
    config: ConfigFile,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First stage to run.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last stage to run.")] = None,
    time_budget: RunBudget = None,
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """All stages of a run: skips what is fresh, resumes what was cut off."""
    with on_engine(engine):
        _run(config, out, settings, first, last, time_budget)


@verbs.command(epilog="anomaly-gan status runs/demo")
def status(
    run: RunArgument,
    deep: Annotated[bool, typer.Option("--deep", help="Hash every product; exit code 1 where one changed.")] = False,
) -> None:
    """The state of every stage of a run: fresh, stale, unfinished or missing; and the versions that made it."""
    from ..pipeline.status import status_lines as states

    for line in states(run, deep):
        typer.echo(line)


@verbs.command(
    epilog="anomaly-gan compare runs/mine --set seeds=5\n"
    "anomaly-gan compare anomaly_gan/configs/study_smoke.yaml --out runs/study\n"
    "anomaly-gan compare anomaly_gan/configs/study_smoke.yaml --out runs/study --tables-only"
)
def compare(
    what: Annotated[
        Path,
        typer.Argument(metavar="RUN|STUDY.yaml", help="Folder of a run, or YAML of a study (anomaly_gan/configs)."),
    ],
    out: StudyFolder = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="This process's share of the cells, from 0/N "
            "to N-1/N; one process each, unless compare.workers says more.",
        ),
    ] = None,
    tables_only: TablesOnly = False,
    time_budget: RunBudget = None,
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """Does the detector get better? The arms of one run, or a study: folds × variants × arms × detectors × seeds.

    Every training is kept as soon as it has finished; the same command goes on with those that are left.
    """
    if not shipped(what).exists():
        raise ConfigError(f"{what}: neither the folder of a run nor the YAML of a study is here")
    if what.is_dir():
        if out is not None or shard is not None or tables_only:
            raise ConfigError("compare: --out, --shard and --tables-only go with a study's YAML, not with a run")
        with on_engine(engine):
            _compare_run(what, settings, time_budget)
        return
    if time_budget is not None:
        raise ConfigError("compare: --time-budget goes with a run; a study goes on where it was stopped")
    with on_engine(engine):
        _study(what, out, settings, shard, tables_only)


@verbs.command(epilog="anomaly-gan report runs/mine")
def report(run: RunArgument, settings: Settings = []) -> None:
    """One self-contained report.html from whatever stages have finished; also of a run that is working."""
    from ..core.errors import RunBusy
    from ..core.stage import run_lock
    from ..pipeline.run import publish_report

    try:
        work_stage(run, "report", "report", settings, lenient=True)
    except RunBusy:
        _report_so_far(run, settings)
        return
    with run_lock(run):
        publish_report(run)
    typer.echo(f"report: {run / 'report.html'}")
    typer.echo("\n".join(["", *verdict_lines(run)]))


def _report_so_far(run: Path, settings: list[str]) -> None:
    from ..pipeline.peek import report_so_far
    from ..pipeline.plan import plan

    config = read_section(run, "report", settings)
    step = next(step for step in plan(config) if step.name == "report")
    typer.echo(f"report of what has finished so far, for the run still works: {report_so_far(config, run, step)}")


def _run(
    config: Path,
    out: Path | None,
    settings: list[str],
    first: str | None = None,
    last: str | None = None,
    time_budget: str | None = None,
) -> None:
    from ..core.stage import run_lock
    from ..pipeline.config import read_run_config
    from ..pipeline.execute import execute
    from ..pipeline.plan import plan, select

    resolved = read_run_config(config, settings)
    run = out or Path("runs") / resolved.name
    steps = select(plan(resolved), first, last)
    budget = read_budget(time_budget)
    with run_lock(run):
        outcome = execute(resolved, run, steps, budget)
    _conclude(run, [step.name for step in steps], outcome.not_reached, budget)


def _conclude(run: Path, steps: list[str], not_reached: tuple[str, ...], budget: str | None) -> None:
    """The last lines of a run, on stdout.

    Raises:
        typer.Exit: 1, a category failed its gate.
    """
    if "compare" in steps and "compare" not in not_reached:
        for line in _verdicts(run / "compare" / "summary.json"):
            typer.echo(line)
    if not_reached:
        from ..pipeline.budget import in_kinds

        typer.echo(f"not reached within {budget}: {in_kinds(not_reached)}")
    if steps[-1] not in not_reached:
        typer.echo(f"done: {run / 'report.html' if steps[-1] == 'report' else run / steps[-1]}")
    _close(run, steps)


def verdict_lines(run: Path) -> list[str]:
    """The verdict of a run whose report is written, for the console."""
    from ..report.verdict.build import close_run

    end = close_run(run)
    return list(end.lines) if end else []


def _close(run: Path, steps: list[str]) -> None:
    """The verdict as the last lines of a run; exit code 1 where a category failed its gate."""
    from ..report.verdict.build import close_gates, close_run

    end = (close_run(run) if "report" in steps else None) or close_gates(run, steps)
    if end.lines:
        typer.echo("\n".join(["", *end.lines]))
    if end.exit_code:
        raise typer.Exit(end.exit_code)


def _compare_run(run: Path, settings: list[str], time_budget: str | None) -> None:
    from ..core.stage import run_lock
    from ..pipeline.execute import execute
    from ..pipeline.plan import plan

    config = read_section(run, "compare", settings)
    step = next(step for step in plan(config) if step.name == "compare")
    with run_lock(run):
        execute(config, run, [step], read_budget(time_budget), keep_config=False)
    typer.echo((run / "compare" / "table.csv").read_text(encoding="utf-8").rstrip())


def _study(
    config: Path,
    out: Path | None,
    settings: list[str],
    shard: str | None,
    tables_only: bool,
) -> None:
    from ..core.progress import say
    from ..study.config import read_study
    from ..study.run import read_shard, run_study

    part = read_shard(shard)
    study, base = read_study(config, settings)
    folder = out or Path("runs") / study.name
    done = run_study(study, base, folder, say, part, tables_only)
    for line in done.sentences:
        typer.echo(line)
    typer.echo(f"{done.cells.finished} of {done.cells.expected} cells: {', '.join(done.written)} → {folder}")
    done.check(folder)


def _verdicts(summary: Path) -> list[str]:
    """What the comparison says of each arm, in its own sentences, and what of it a time budget cut off."""
    from ..core.json_files import read_as, understood

    content = read_as(summary, dict)
    with understood(summary):
        cut_off = [content["note"].partition(";")[0] + "."] if content.get("missing") else []
        return [arm["sentence"] for arm in content["arms"].values()] + cut_off
