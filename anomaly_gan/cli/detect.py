"""Verbs of the detector: ``anomaly-gan detect ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import CheckFailed, ConfigError
from .fields import common
from .options import DeviceName, FalseAlarm, Model, Overlays, Settings, only_reading

detect_app = typer.Typer(
    no_args_is_help=True,
    help="The detector of labelled defects: train it, let it look at new photographs, take it into the plant.",
)


@detect_app.command(
    "train",
    epilog="anomaly-gan detect train runs/mine/ingest --out runs/mine/detector --false-alarm 0.02",
)
def detect_train(
    dataset: Annotated[
        Path | None, typer.Argument(help="Ingested data set, export, or run folder (its ingest).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the detector to write.")] = None,
    false_alarm: FalseAlarm = 0.05,
    settings: Settings = [],
) -> None:
    """Train a detector on labelled photographs, real and generated, and set its alarm threshold.

    The default is `dense`; `--set detector=mask_rcnn` chooses another, `--set exposures=120` a longer training. Where
    no defect is labelled, `dense` learns from defects drawn by rule on the sound photographs. With two to four
    defective parts of a kind add `--set dense.bank=exemplar --set dense.bank_per_batch=8`: crops painted from them.
    """
    from detection.commands import detect_train as work
    from detection.detectors.config import DetectConfig
    from detection.detectors.registry import detector

    from ..core.config import apply_settings, build
    from ..pipeline.banks import bank_of

    if dataset is None:
        raise ConfigError("detect train: name one data set, for example `anomaly-gan detect train runs/mine/ingest`")
    if out is None:
        raise ConfigError("detect train: --out: name a folder for the detector")
    config = build(DetectConfig, apply_settings({}, (said := common(settings)).settings), "detect")
    bank = bank_of(dataset, config, said.seed or 0, said.device or "auto")
    report = work(dataset, out, config, said.seed or 0, said.device or "auto", false_alarm or 0.0, bank)
    threshold = report["threshold"]
    few = "too few sound photographs could be set aside for this rate"
    why = few if detector(config.detector).trainer else f"{config.detector} sets no sound photographs aside, dense does"
    typer.echo(threshold["words"] if threshold else f"no alarm threshold: {why}")
    typer.echo(f"detector written to {out}")


@detect_app.command(
    "eval",
    epilog="anomaly-gan detect eval --model runs/mine/detector --data runs/mine/ingest --out runs/mine/eval",
)
def detect_eval(
    model: Model,
    data: Annotated[Path, typer.Option(help="Ingested data set with held-out photographs, or a run folder.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json and detections.json.")],
    device: DeviceName = "auto",
) -> None:
    """AP@0.5, COCO mAP and mIoU on held-out real photographs."""
    from detection.commands import detect_eval as work

    result = work(model, data, out, device=device)
    typer.echo("  ".join(f"{name} {_number(result[name])}" for name in ("map50", "map", "miou")) + f"  → {out}")


@detect_app.command(
    "predict",
    epilog="anomaly-gan detect predict new_photos --model runs/mine/detector --out found",
)
def detect_predict(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs, at any depth, or one photograph.")],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, detections.json, labelme/ and overlays/.")],
    false_alarm: FalseAlarm = None,
    threshold: Annotated[float | None, typer.Option(help="A threshold of your own instead.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Instances below this score are left out.")] = None,
    overlays: Overlays = 200,
    settings: Settings = [],
) -> None:
    """Look at new photographs: a table with scores and decisions, COCO, labelme files, and overlays.

    On a processor ONNX Runtime or OpenVINO computes where it is installed and says the same as torch, in some seven
    tenths of the time; `--device cpu:torch`, `cpu:onnx` or `cpu:openvino` names one.
    """
    from detection.inspection.predict import predict_folder

    reading, device = only_reading(settings, "detect predict")
    done = predict_folder(
        model,
        photos,
        out,
        false_alarm=false_alarm,
        threshold=threshold,
        min_score=min_score,
        overlays=overlays,
        reading=reading,
        device=device,
    )
    typer.echo(done.words)
    typer.echo(done.line())
    if (problem := done.problem()) is not None:
        raise CheckFailed(problem)


@detect_app.command("export", epilog="anomaly-gan detect export --model runs/mine/detector --out crack.onnx")
def detect_export(
    model: Model,
    out: Annotated[Path, typer.Option(help="The file to write: .onnx, or .xml for OpenVINO.")],
) -> None:
    """The detector as one graph of pixels to maps, checked by running it."""
    from detection.inspection.export import export_detector

    if out.suffix not in (".onnx", ".xml"):
        raise ConfigError(f"--out {out}: its name must end in .onnx, or in .xml for OpenVINO")
    typer.echo(export_detector(model, out, "onnx" if out.suffix == ".onnx" else "openvino").line())


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
