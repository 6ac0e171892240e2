"""The verb ``anomaly-gan lift``: what generated defects really add to a detector, and from how many real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import EngineName, Settings, StudyFolder, on_engine


def add_lift(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "lift",
        epilog="anomaly-gan lift anomaly_gan/configs/lift.yaml --set data.root=magnetic_tile --out runs/lift",
    )(lift)


def lift(
    config: Annotated[Path, typer.Argument(help="YAML of a study of the lift; see anomaly_gan/configs/lift.yaml.")],
    out: StudyFolder = None,
    max_cells: Annotated[
        int | None, typer.Option(min=0, help="Train at most N cells in this call; 0: only write the tables.")
    ] = None,
    settings: Settings = [],
    engine: EngineName = "local",
) -> None:
    """A learning curve of real photographs alone, then arms × objects × draws × folds, every cell resumable.

    Writes table.csv, curve.png, lift.png, found.jpg, missed.jpg, alarms.jpg and summary.json.
    """
    from ..study.lift.config import read_lift
    from ..study.lift.run import run_lift

    study = read_lift(config, settings)
    folder = out or Path("runs") / study.name
    with on_engine(engine):
        summary = run_lift(study, folder, lambda line: typer.echo(line, err=True), max_cells)
    for line in summary.sentences():
        typer.echo(line)
    typer.echo(f"{summary.cells} cells of {summary.arms_tried} arms → {folder}")
