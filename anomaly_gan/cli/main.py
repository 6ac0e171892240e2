"""The command line: ``anomaly-gan``. Verbs only; what they do lies in the stages."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from .. import __version__
from ..core.errors import AnomalyGanError, CheckFailed, ConfigError, EnvironmentFailure
from .common import (
    ConfigFile,
    Device,
    MethodName,
    RunFolder,
    Seed,
    Settings,
    TimeBudget,
    budget_settings,
    read_metrics,
    work_stage,
)
from .control import add_control
from .features import add_features
from .one_class import one_class_app
from .pool import pool_app

# albumentations asks the network for its newest version at import; a plant has none.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Synthetic, labelled defects for visual inspection, and the proof that the detector got better.")
detect_app = typer.Typer(no_args_is_help=True, help="Train and judge a detector.")
weights_app = typer.Typer(no_args_is_help=True, help="Standard weight files: what is here, is it whole, fetch it.")
app.add_typer(pool_app, name="pool")
app.add_typer(detect_app, name="detect")
app.add_typer(one_class_app, name="one-class")
app.add_typer(weights_app, name="weights")
add_control(app)
add_features(app)

@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command(epilog="Example: anomaly-gan demo --out runs/demo")
def demo(out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo"), settings: Settings = [],  # noqa: B006
         seed: Seed = None, device: Device = None) -> None:
    """The whole pipeline on the embedded sample set, to RUN/report.html."""
    from ..core.resources import PACKAGE

    _run(PACKAGE / "configs" / "demo.yaml", out, settings, seed, device)


@app.command("run", epilog="Example: anomaly-gan run anomaly_gan/configs/magnetic_tile.yaml --set preset=smoke --out "
                           "runs/tiles")
def run_(config: ConfigFile, out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME.")] = None,
         first: Annotated[str | None, typer.Option("--from", help="First stage to run.")] = None,
         last: Annotated[str | None, typer.Option("--to", help="Last stage to run.")] = None,
         time_budget: TimeBudget = None, settings: Settings = [], seed: Seed = None,  # noqa: B006
         device: Device = None) -> None:
    """All stages of a run: skips what is fresh, resumes what was cut off."""
    _run(config, out, settings + budget_settings("train.time_budget", time_budget), seed, device, first, last)


@app.command(epilog="Example: anomaly-gan status runs/demo")
def status(run: Annotated[Path, typer.Argument(help="Run folder.")]) -> None:
    """The state of every stage of a run: fresh, stale, unfinished or missing."""
    from ..pipeline.run import status as states

    for name, state in states(run):
        typer.echo(f"{name:24} {state}")


@app.command(epilog="Example: anomaly-gan ingest photos --format labelme --group-regex '(part\\d+)_' --out "
                    "runs/mine/ingest")
def ingest(source: Annotated[str, typer.Argument(help="Folder of labelled photographs, or a COCO JSON file.")],
           out: Annotated[Path, typer.Option(help="Folder of the data set to write.")],
           format: Annotated[str, typer.Option(help="auto, labelme, mask-png, coco or mvtec.")] = "auto",
           groups: Annotated[str | None, typer.Option(help="CSV (file, group[, fold]): which photographs show the same "
                                                      "object.")] = None,
           group_regex: Annotated[str | None, typer.Option(help="Or a regular expression on the file name; its first "
                                                           "group names the object.")] = None,
           settings: Settings = [], seed: Seed = None) -> None:  # noqa: B006
    """Labelled photographs to one checked data set (COCO), split once, by physical object."""
    from ..core.config import apply_settings, build
    from ..core.stage import Context, run_stage
    from ..ingest.stage import IngestConfig, run, source_key

    given = {"root": source, "format": format, "groups": groups, "group_regex": group_regex}
    config = build(IngestConfig, apply_settings({k: v for k, v in given.items() if v is not None}, settings), "ingest")
    run_stage("ingest", run, config, Context(seed or 0), out, source_key(config))
    _say_counts(out)


@app.command(epilog="Examples: anomaly-gan train --run runs/mine --method anomaly_gan --set steps=4000;  "
                    "anomaly-gan train --run runs/mine --time-budget 25m")
def train(run: RunFolder, method: MethodName = "anomaly_gan", time_budget: TimeBudget = None,
          settings: Settings = [], seed: Seed = None, device: Device = None) -> None:  # noqa: B006
    """Train a generation method on the training split and the pool."""
    from ..synthesis.registry import method as row

    if not row(method).trainable:
        other = row(method).trained_by
        raise ConfigError(f"--method {method}: learns nothing; " + (
            f"it paints with {other}: train that" if other else "go on with `anomaly-gan generate`"))
    work_stage(run, f"train@{method}", "train", settings + budget_settings("time_budget", time_budget), method, seed,
               device)


@app.command(epilog="Example: anomaly-gan generate --run runs/mine --count 100 --category crack")
def generate(run: RunFolder, method: MethodName = "anomaly_gan",
             count: Annotated[int | None, typer.Option(help="Photographs per category.")] = None,
             category: Annotated[list[str], typer.Option(help="Only this category; may be repeated.")] = [],  # noqa: B006
             settings: Settings = [], seed: Seed = None, device: Device = None) -> None:  # noqa: B006
    """Labelled defect photographs from training normals and pool masks."""
    asked = ([f"count={count}"] if count is not None else []) + ([f"categories=[{','.join(category)}]"] if category
                                                                 else [])
    work_stage(run, f"generate@{method}", "generate", settings + asked, method, seed, device)


@app.command(epilog="Example: anomaly-gan gate --run runs/mine --method anomaly_gan")
def gate(run: RunFolder, method: MethodName = "anomaly_gan", settings: Settings = [],  # noqa: B006
         seed: Seed = None, device: Device = None) -> None:
    """Check every generated photograph and every category; exit code 1 where a category fails."""
    work_stage(run, f"gate@{method}", "gate", settings, method, seed, device)
    failed = [name for name, row in sorted(read_metrics(run / f"gate@{method}").get("categories", {}).items())
              if row.get("verdict") == "fail"]
    if failed:
        raise CheckFailed(f"gate: {', '.join(failed)} did not pass; see {run / f'gate@{method}' / 'metrics.json'}")


@app.command(epilog="Example: anomaly-gan export --run runs/mine --method anomaly_gan --format coco")
def export(run: RunFolder, method: MethodName = "anomaly_gan",
           format: Annotated[str, typer.Option(help="coco")] = "coco", settings: Settings = [],  # noqa: B006
           seed: Seed = None) -> None:
    """Real training photographs and accepted synthetic ones as one COCO data set."""
    if format != "coco":
        raise ConfigError(f"--format {format}: only coco is written so far")
    work_stage(run, f"export@{method}", "export", settings, method, seed)


@detect_app.command("train", epilog="Example: anomaly-gan detect train --data runs/mine/export@anomaly_gan --out "
                                    "runs/mine/detector")
def detect_train(data: Annotated[Path, typer.Option(help="Data set folder (an export, or an ingest).")],
                 out: Annotated[Path, typer.Option(help="Folder of the detector to write.")],
                 settings: Settings = [], seed: Seed = None, device: Device = None) -> None:  # noqa: B006
    """Fine-tune a detector on real and accepted synthetic photographs."""
    from detection.commands import detect_train as work
    from detection.detectors.config import DetectConfig

    from ..core.config import apply_settings, build

    work(data, out, build(DetectConfig, apply_settings({}, settings), "detect"), seed or 0, device or "auto")
    typer.echo(f"detector written to {out}")


@detect_app.command("eval", epilog="Example: anomaly-gan detect eval --model runs/mine/detector --data "
                                   "runs/mine/ingest --out runs/mine/eval")
def detect_eval(model: Annotated[Path, typer.Option(help="Folder of a trained detector.")],
                data: Annotated[Path, typer.Option(help="Ingested data set with held-out photographs.")],
                out: Annotated[Path, typer.Option(help="Folder for metrics.json and detections.json.")],
                split: Annotated[str, typer.Option(help="Split to judge on.")] = "test", device: Device = None) -> None:
    """AP@0.5, COCO mAP and mIoU on held-out real photographs."""
    from detection.commands import detect_eval as work

    result = work(model, data, out, split, device or "auto")
    typer.echo("  ".join(f"{name} {_number(result[name])}" for name in ("map50", "map", "miou")) + f"  → {out}")


@app.command(epilog="Examples: anomaly-gan compare anomaly_gan/configs/study_smoke.yaml --out runs/study;  "
                    "the same with --shard 0/2 and, in a second process, --shard 1/2;  with --tables-only;  "
                    "anomaly-gan compare --run runs/mine --set seeds=5")
def compare(config: Annotated[Path | None, typer.Argument(help="YAML of a study; see anomaly_gan/configs.")] = None,
            run: Annotated[Path | None, typer.Option("--run", help="Compare the arms of this one run instead.")] = None,
            out: Annotated[Path | None, typer.Option(help="Folder of the study; default runs/NAME.")] = None,
            shard: Annotated[str | None, typer.Option(metavar="I/N", help="This process's share of the cells, from 0/N "
                                                      "to N-1/N; one process each, unless compare.workers says more."
                                                      )] = None,
            tables_only: Annotated[bool, typer.Option("--tables-only", help="Train nothing: write tables, plots and "
                                                      "report anew from the saved cells.")] = False,
            settings: Settings = [], seed: Seed = None, device: Device = None) -> None:  # noqa: B006
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


@app.command(epilog="Example: anomaly-gan report runs/mine")
def report(run: Annotated[Path, typer.Argument(help="Run folder.")], settings: Settings = []) -> None:  # noqa: B006
    """One self-contained report.html from whatever stages have finished."""
    from ..pipeline.run import publish_report

    work_stage(run, "report", "report", settings, lenient=True)
    publish_report(run)
    typer.echo(f"report: {run / 'report.html'}")


@weights_app.command("list", epilog="Example: anomaly-gan weights list")
def weights_list() -> None:
    """Which standard weights are used, for what, and whether they are here."""
    from ..core import weights

    for row in weights.listing():
        state = "present" if row["present"] else "absent"
        typer.echo(f"{row['name']:28} {state:8} {row['purpose']}; {row['licence']}; {row['path']}")


@weights_app.command("check", epilog="Example: ANOMALY_GAN_WEIGHTS=/media/usb anomaly-gan weights check")
def weights_check() -> None:
    """Compare every file in the weights folder with its SHA-256; exit code 1 where one differs."""
    from ..core import weights

    rows = weights.check()
    for row in rows:
        typer.echo(f"{row['name']:28} {row['state']:8} {row.get('reason', row['path'])}")
    if any(row["state"] == "damaged" for row in rows):
        raise CheckFailed("weights: a file is not what it should be; fetch it again")


@weights_app.command("fetch", epilog="Example: anomaly-gan weights fetch inception_fid --to /media/usb")
def weights_fetch(names: Annotated[list[str] | None, typer.Argument(help="Which; default: all.")] = None,
                  to: Annotated[Path | None, typer.Option(help="Folder; default: the weights folder.")] = None) -> None:
    """Download weights on a machine with a network, into a folder that can be carried to one without."""
    from ..core import weights

    for path in weights.fetch(names or (), to):
        typer.echo(f"{path}")


def _run(config: Path, out: Path | None, settings: list[str], seed: int | None, device: str | None,
         first: str | None = None, last: str | None = None) -> None:
    from ..core.stage import run_lock
    from ..pipeline.run import execute, plan, read_run_config, select

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


def _study(config: Path, out: Path | None, settings: list[str], seed: int | None, device: str | None,
           shard: str | None, tables_only: bool) -> None:
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


def _say_counts(folder: Path) -> None:
    import json

    rejects = folder / "rejects.jsonl"
    for line in rejects.read_text(encoding="utf-8").splitlines() if rejects.is_file() else []:
        row = json.loads(line)
        typer.echo(f"refused: {row.get('message', line)}", err=True)
    typer.echo(f"{_summary(read_metrics(folder))} → {folder}")


def _summary(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in metrics.items() if isinstance(value, int))


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def main() -> None:
    """Run the command line; every error a user can act on is one line, without a traceback."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except AnomalyGanError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        typer.echo(f"error: {' '.join(error.format_message().split())} (see --help)", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted: nothing is lost; the same command goes on from here", err=True)
        sys.exit(130)
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EnvironmentFailure.exit_code)


def _stop(number: int, frame: FrameType | None) -> None:
    typer.echo("stopped: nothing is lost; the same command goes on from here", err=True)
    sys.exit(128 + number)
