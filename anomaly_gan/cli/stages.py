"""Verbs that run one stage: ingest, train, generate, gate, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import CheckFailed, ConfigError
from ..ingestion.formats.table import reading, writing
from .fields import common
from .options import (
    EngineName,
    GroupRegex,
    Groups,
    MethodName,
    RunFolder,
    Settings,
    on_engine,
    read_metrics,
    work_stage,
)

verbs = typer.Typer()


@verbs.command(epilog="anomaly-gan ingest photos --format labelme --group-regex '(part\\d+)_' --out runs/mine/ingest")
def ingest(
    source: Annotated[str, typer.Argument(help="Folder of labelled photographs, or a COCO JSON file.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the data set to write.")] = None,
    format: Annotated[str, typer.Option(help=f"auto, or one of: {', '.join(reading())}.")] = "auto",
    groups: Groups = None,
    group_regex: GroupRegex = None,
    suggest_groups: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Only propose which photographs show one object."),
    ] = None,
    settings: Settings = [],
) -> None:
    """Labelled photographs to one checked data set (COCO), split once, by physical object.

    Also: --images FOLDER where labels lie elsewhere, --object of a set with several, --mask-name {stem}_label.bmp,
    --classes 1=crack,255=ignore of mask values or colours, --labels OLD=NEW,… to rename, merge or leave out.
    """
    from ..core.config import apply_settings, build
    from ..core.stage import Context, run_stage
    from ..ingestion.stage import IngestConfig, run, source_key
    from ..ingestion.summary import summary_lines

    said = common(settings)
    given = {"root": source, "format": format, "groups": groups and str(groups), "group_regex": group_regex}
    given = {name: value for name, value in given.items() if value is not None}
    config = build(IngestConfig, apply_settings(given, said.settings), "ingest")
    if suggest_groups is not None:
        from ..ingestion.suggest import suggest

        for line in suggest(config, suggest_groups):
            typer.echo(line)
        return
    if out is None:
        raise ConfigError("ingest: say where the data set shall be written: --out FOLDER")
    run_stage("ingest", run, config, Context(said.seed or 0), out, source_key(config))
    for line in summary_lines(out):
        typer.echo(line)
    typer.echo(f"data set → {out}")


@verbs.command(
    epilog="anomaly-gan train --run runs/mine --method anomaly_gan --set steps=4000\n"
    "anomaly-gan train --run runs/mine --time-budget 25m"
)
def train(
    run: RunFolder,
    method: MethodName = "anomaly_gan",
    settings: Settings = [],
) -> None:
    """Train a generation method on the training split and the pool; with --time-budget 25m as far as it gets in it."""
    from ..synthesis.registry import method as row

    if not row(method).trainable:
        other = row(method).trained_by
        raise ConfigError(
            f"--method {method}: learns nothing; "
            + (f"it paints with {other}: train that" if other else "go on with `anomaly-gan generate`")
        )
    work_stage(run, f"train@{method}", "train", settings, method)


@verbs.command(epilog="anomaly-gan generate --run runs/mine --count 100 --category crack")
def generate(
    run: RunFolder,
    method: MethodName = "anomaly_gan",
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """Labelled defect photographs from training normals and pool masks: --count per category, --category only these.

    --method procedural draws scratches, pits, cracks, stains and patches by rule: it needs neither a training nor a
    pool, nor any photograph of a defect.
    """
    from ..synthesis.registry import method as row

    with on_engine(engine):
        work_stage(run, f"generate@{method}", "generate", settings, method, lenient=not row(method).needs_pool)


@verbs.command(epilog="anomaly-gan gate --run runs/mine --method anomaly_gan")
def gate(
    run: RunFolder,
    method: MethodName = "anomaly_gan",
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """Check every generated photograph and every category; exit code 1 where a category fails."""
    with on_engine(engine):
        work_stage(run, f"gate@{method}", "gate", settings, method)
    failed = [
        name
        for name, row in sorted(read_metrics(run / f"gate@{method}").get("categories", {}).items())
        if row.get("verdict") == "fail"
    ]
    if failed:
        raise CheckFailed(f"gate: {', '.join(failed)} did not pass; see {run / f'gate@{method}' / 'metrics.json'}")


@verbs.command(
    epilog="anomaly-gan export --run runs/mine --format yolo-seg\n"
    "anomaly-gan export --run runs/mine/ingest --format labelme --out drawn\n"
    "anomaly-gan export --run runs/mine --shards 1000 --out s3://plant/bolts\n"
    "anomaly-gan export --run runs/mine --format onnx --out generator.onnx"
)
def export(
    run: Annotated[
        Path, typer.Option("--run", help="Run folder; or any data set of this project, such as RUN/ingest.")
    ],
    method: MethodName = "anomaly_gan",
    format: Annotated[
        str, typer.Option(help=f"One of: {', '.join(writing())}; or onnx, for the trained generator.")
    ] = "coco",
    out: Annotated[
        str | None,
        typer.Option(help="Folder to write; default: beside the stage, by format. With --shards also s3://… and such."),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Tar files of N photographs that WebDataset reads, each with its COCO."),
    ] = None,
    settings: Settings = [],
) -> None:
    """Real training photographs and accepted synthetic ones, or any data set, in the format that you use.

    With --format onnx the trained generator of --method as one graph, checked by running it.
    """
    if format == "onnx":
        from ..synthesis.export.graph import export_generator
        from ..synthesis.registry import training_of

        if (learner := training_of(method)) is None:
            raise ConfigError(f"--method {method}: learns nothing, so there is no generator to write")
        trained = run / f"train@{learner}"
        typer.echo(export_generator(trained, Path(out or f"{trained}.onnx")).line())
        return
    if format not in writing():
        raise ConfigError(f"--format {format}: is not written; one of: {', '.join(writing())}")
    data = run
    if not (run / "annotations.json").is_file():
        work_stage(run, f"export@{method}", "export", settings, method)
        if format == "coco" and out is None and shards is None:
            return
        data, out = run / f"export@{method}", out or str(run / f"export@{method}.{'shards' if shards else format}")
    if out is None:
        raise ConfigError("export: say where to write: --out FOLDER")
    from ..core.dataset import load_dataset
    from ..ingestion.writing import write_format

    if shards is not None:
        from ..ingestion.shards import write_shards

        index = write_shards(load_dataset(data), out, shards, typer.echo)
        typer.echo(f"{len(index['shards'])} shards: {index['photographs']} photographs → {out}")
        return
    done = write_format(load_dataset(data), format, Path(out))
    for name, value in done.items():
        if name not in {"format", "photographs", "annotations", "keeps"} and value:
            typer.echo(f"mind: {name.replace('_', ' ')}: {value}")
    typer.echo(f"{format}: {done['photographs']} photographs, {done['annotations']} annotations → {out}")


@verbs.command(epilog="anomaly-gan explain B14")
def explain(code: Annotated[str, typer.Argument(help="A fault code, as messages have it: B14.")]) -> None:
    """What a fault code means, what is done about it, and what you can do."""
    from ..core.faults import explain as words

    typer.echo(words(code))
