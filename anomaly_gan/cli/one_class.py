"""The verbs of the one-class detectors: ``anomaly-gan one-class ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import CheckFailed
from .fields import common
from .options import (
    AlsoJson,
    EngineName,
    FalseAlarm,
    GroupRegex,
    Groups,
    MethodName,
    Model,
    Overlays,
    RunFolder,
    Settings,
    begins,
    on_engine,
    only_reading,
    told_reading,
)

one_class_app = typer.Typer(
    no_args_is_help=True, help="Detectors that learn from sound parts alone: train, score, export, benchmark, study."
)
Detector = Annotated[
    str,
    typer.Option("--detector", help="patch_memory, padim, knn ...; `one-class list` names all, those of papers too."),
]
Preset = Annotated[str, typer.Option("--preset", help="quick (sized for a CPU) or full (the paper's).")]


@one_class_app.command("list", epilog="anomaly-gan one-class list")
def one_class_list() -> None:
    """Every detector: what it is, whether it shows where the defect is, whether it goes to ONNX."""
    from detection.one_class.registry import ONE_CLASS

    for name, row in ONE_CLASS.items():
        traits = ", ".join(word for word, has in (("map", row.maps), ("onnx", row.exports)) if has) or "score only"
        typer.echo(f"{name:18} {traits:10} {row.words}{' (for reproduction)' if row.reproduction else ''}")


@one_class_app.command(
    "train",
    epilog="anomaly-gan one-class train good_parts --detector patch_memory "
    "--false-alarm 0.02 --group-regex '(part\\d+)_' --out models/bolts",
)
def one_class_train(
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder of photographs of good parts, at any depth; or an ingested data set (its training normals)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model to write.")],
    detector: Detector = "patch_memory",
    preset: Preset = "full",
    false_alarm: FalseAlarm = 0.05,
    groups: Groups = None,
    group_regex: GroupRegex = None,
    held_out: Annotated[float, typer.Option(help="Share of the parts kept for the threshold.")] = 0.25,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Divide every photograph by its border's brightness.")
    ] = False,
    max_bad: Annotated[float, typer.Option(help="Share of unreadable photographs still borne.")] = 0.01,
    settings: Settings = [],
) -> None:
    """Learn what sound parts look like, and set the threshold for a false-alarm rate.

    --frame tiles looks at photographs at their own scale, in overlapping tiles; kept: whole, proportions kept.
    --region LEFT,TOP,RIGHT,BOTTOM (pixels): look there alone. --backbone FILE: weights of timm or torchvision, or
    efficientnet_lite2. --bits, --colour and --min-side: how photographs are read, as for `ingest`. The model keeps all.
    """
    said = common(settings)
    reading, changes = told_reading(said.settings, "one-class train")
    begins("one-class train", [data], out)
    from detection.one_class.inspection.train import train_folder
    from detection.one_class.registry import one_class

    from ..core.config import apply_settings

    trained = train_folder(
        data,
        out,
        detector,
        preset,
        apply_settings({}, changes),
        false_alarm or 0.0,
        groups=groups,
        group_regex=group_regex,
        held_out=held_out,
        flatten=flatten,
        max_bad=max_bad,
        reading=reading,
        seed=said.seed or 0,
        device=said.device or "auto",
    )
    _say(trained.remarks)
    if one_class(detector).reproduction:
        typer.echo(
            f"note: {detector} is here to reproduce its paper; on parts patch_memory or padim find more", err=True
        )
    typer.echo(trained.line())


@one_class_app.command("score", epilog="anomaly-gan one-class score new_photos --model models/bolts --out scored")
def one_class_score(
    data: Annotated[Path, typer.Argument(help="Folder of new photographs, or one photograph.")],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, overlays/ and found/.")],
    overlays: Overlays = 50,
    found: Annotated[
        bool, typer.Option(help="Write what was found as labelme files, for `ingest` and the mask pool.")
    ] = True,
    known_good: Annotated[
        bool,
        typer.Option("--known-good", help="All are known to be sound: test whether sound parts score differently now."),
    ] = False,
    settings: Settings = [],
) -> None:
    """Score new photographs: a table, heat maps, masks of what was found, and a note where sound parts have drifted."""
    reading, device = only_reading(settings, "one-class score")
    begins("one-class score", [data, model], out)
    from detection.one_class.inspection.score import score_folder

    scored = score_folder(
        model,
        data,
        out,
        overlays=overlays,
        found=found,
        known_good=known_good,
        reading=reading,
        device=device,
    )
    _say(scored.remarks)
    typer.echo(scored.line())
    if (problem := scored.problem()) is not None:
        raise CheckFailed(problem)


@one_class_app.command(
    "evaluate",
    epilog="anomaly-gan one-class evaluate --model models/bolts --good new_good --defects known_defects "
    "--group-regex '(part\\d+)_'",
)
def one_class_evaluate(
    model: Model,
    good: Annotated[Path, typer.Option(help="Photographs of sound parts that the model has not learnt from.")],
    defects: Annotated[Path, typer.Option(help="Photographs of defective parts; a folder for each kind, or one.")],
    groups: Groups = None,
    group_regex: GroupRegex = None,
    out: AlsoJson = None,
    settings: Settings = [],
) -> None:
    """How many known defects the model finds at its threshold, and how many sound parts it flags."""
    reading, device = only_reading(settings, "one-class evaluate")
    begins("one-class evaluate", [good, defects, model], out)
    from detection.one_class.inspection.evaluate import evaluate_folders
    from detection.one_class.inspection.normals import Grouping

    grouping = Grouping(groups, regex=group_regex)
    done = evaluate_folders(model, good, defects, grouping, device=device, out=out, reading=reading)
    for line in done.lines():
        typer.echo(line)
    if done.refused:
        raise CheckFailed(f"{done.refused} photographs could not be read")


@one_class_app.command(
    "recalibrate",
    epilog="anomaly-gan one-class recalibrate new_good_parts --model "
    "models/bolts --false-alarm 0.01 --out models/bolts_spring",
)
def one_class_recalibrate(
    data: Annotated[Path, typer.Argument(help="Folder of good parts the model has not seen.")],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder of the model with the new threshold.")],
    false_alarm: FalseAlarm = None,
    groups: Groups = None,
    group_regex: GroupRegex = None,
    settings: Settings = [],
) -> None:
    """A new threshold from new good parts, without training again."""
    reading, device = only_reading(settings, "one-class recalibrate")
    begins("one-class recalibrate", [data, model], out)
    from detection.one_class.inspection.recalibrate import recalibrate_folder

    anew = recalibrate_folder(
        model, data, out, false_alarm, groups=groups, group_regex=group_regex, reading=reading, device=device
    )
    _say(anew.remarks)
    typer.echo(anew.line())


@one_class_app.command("export", epilog="anomaly-gan one-class export --model models/bolts --out bolts.onnx")
def one_class_export(
    model: Model,
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
) -> None:
    """One ONNX graph from pixels to score and map, checked against the model by running it."""
    from detection.one_class.inspection.onnx_export import export_onnx

    typer.echo(export_onnx(model, out).line())


@one_class_app.command(
    "benchmark",
    epilog="anomaly-gan one-class benchmark --detector iaead --dataset mnist "
    "--protocol as_published --preset quick --set data.root=DIR --out iaead",
)
def one_class_benchmark(
    detector: Detector,
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion_mnist, cifar10, coil20, magnetic_tile, mvtec_screw or rsdds.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for table.csv, report.html and the cells.")],
    protocol: Annotated[
        str, typer.Option(help="honest, or as_published: the paper's own, its leaks included.")
    ] = "honest",
    preset: Preset = "full",
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """Every class in turn, every seed: AUROC, AUPR, F1, seconds; beside the paper's figures. Resumes cell by cell.

    --normal NAME: only this class, by name or number (with leave_one_out the class left out); may be repeated.
    """
    from detection.one_class.benchmark.config import benchmark_config
    from detection.one_class.benchmark.run import run_benchmark

    config = benchmark_config(detector, dataset, protocol, preset, settings=settings)
    with on_engine(engine):
        run_benchmark(config, out)
    typer.echo((out / "summary.csv").read_text(encoding="utf-8").rstrip())
    typer.echo(f"report: {out / 'report.html'}")


@one_class_app.command(
    "study",
    epilog="anomaly-gan one-class study --run runs/mine --method anomaly_gan "
    "--detector patch_memory --detector iaead --set iaead.epochs=30 --out runs/mine_study",
)
def one_class_study(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for table.csv and study.png.")],
    method: MethodName = "anomaly_gan",
    detector: Annotated[list[str], typer.Option(help="May be repeated; the first is the blind choice.")] = [
        "patch_memory",
        "iaead",
    ],
    preset: Preset = "quick",
    repeats: Annotated[int, typer.Option(min=1, help="Other held-out parts, trained anew.")] = 3,
    false_alarm: FalseAlarm = 0.05,
    settings: Settings = [],
) -> None:
    """Does choosing detector and threshold on synthetic defects do better on real ones than choosing blind?"""
    from detection.one_class.selection_study.study import study

    from ..core.config import apply_settings
    from ..core.manifest import finished_key
    from ..core.workfolder import work_folder

    said = common(settings)
    changes = apply_settings({}, said.settings)
    started = {
        "inputs": {name: finished_key(run / name) for name in ("ingest", f"gate@{method}")},
        "detectors": list(detector),
        "options": {"preset": preset, "settings": changes, "repeats": repeats, "false_alarm": false_alarm},
        "seed": said.seed or 0,
    }
    with work_folder(out, "one-class study", started, fixed=()) as work:
        if not work.fresh:
            study(
                run,
                work.place,
                method,
                detector,
                said.seed or 0,
                repeats=repeats,
                preset=preset,
                settings=changes,
                false_alarm=false_alarm or 0.0,
                device=said.device or "auto",
                say=lambda line: typer.echo(line),
            )
    typer.echo(f"study → {out}")


def _say(remarks: tuple[str, ...]) -> None:
    for line in remarks:
        typer.echo(line, err=True)
