"""``anomaly-gan detect``: train and evaluate a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Device,
    Seed,
    Settings,
)

detect_app = typer.Typer(no_args_is_help=True, help="Train and judge a detector.")


@detect_app.command(
    "train", epilog="Example: anomaly-gan detect train --data runs/mine/export@anomaly_gan --out runs/mine/detector"
)
def detect_train(
    data: Annotated[Path, typer.Option(help="Data set folder (an export, or an ingest).")],
    out: Annotated[Path, typer.Option(help="Folder of the detector to write.")],
    settings: Settings = [],
    seed: Seed = None,
    device: Device = None,
) -> None:
    """Fine-tune a detector on real and accepted synthetic photographs."""
    from detection.commands import detect_train as work
    from detection.detectors.config import DetectConfig

    from ..core.config import apply_settings, build

    work(data, out, build(DetectConfig, apply_settings({}, settings), "detect"), seed or 0, device or "auto")
    typer.echo(f"detector written to {out}")


@detect_app.command(
    "eval",
    epilog="Example: anomaly-gan detect eval --model runs/mine/detector --data runs/mine/ingest --out runs/mine/eval",
)
def detect_eval(
    model: Annotated[Path, typer.Option(help="Folder of a trained detector.")],
    data: Annotated[Path, typer.Option(help="Ingested data set with held-out photographs.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json and detections.json.")],
    split: Annotated[str, typer.Option(help="Split to judge on.")] = "test",
    device: Device = None,
) -> None:
    """AP@0.5, COCO mAP and mIoU on held-out real photographs."""
    from detection.commands import detect_eval as work

    result = work(model, data, out, split, device or "auto")
    typer.echo("  ".join(f"{name} {_number(result[name])}" for name in ("map50", "map", "miou")) + f"  → {out}")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
