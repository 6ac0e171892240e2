"""The verbs of control: ``anomaly-gan paint`` and ``anomaly-gan control-card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, MethodName, Seed


def add_control(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("paint", epilog=PAINT_EXAMPLES)(paint)
    app.command(
        "control-card", epilog="Example: anomaly-gan control-card runs/tiles --exposures 'exp(\\d)_' --out runs/card"
    )(control_card)


PAINT_EXAMPLES = (
    "Examples: anomaly-gan paint part.png --model runs/mine/train@anomaly_gan --mask crack.png --category crack --out "
    "painted;  the same with --severity 0.8 --count 5;  with --at 120,80 --turn 30 --number 3;  with --light=-0.7;  "
    "anomaly-gan paint part.png --model runs/mine/train@anomaly_gan --mask part.json --out painted"
)


def paint(
    photograph: Annotated[Path, typer.Argument(help="A photograph without the defect.")],
    model: Annotated[Path, typer.Option(help="Folder of a finished training: RUN/train@anomaly_gan.")],
    mask: Annotated[
        Path,
        typer.Option(help="What to paint: a mask picture (PNG; each connected part is one defect), or a labelme JSON."),
    ],
    out: Annotated[Path, typer.Option(help="New folder for images/ and annotations.json.")],
    category: Annotated[
        str | None, typer.Option(help="Which defect; a labelme file's own labels count without it.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="1=crack,2=dent", help="What values or colours of the mask picture mean; or a file."),
    ] = None,
    bits: Annotated[int | None, typer.Option(min=8, max=16, help="Depth of a photograph of more than 8 bits.")] = None,
    severity: Annotated[
        str | None,
        typer.Option(
            help="0 to 1: as the faintest to the strongest of the training "
            "defects; or contrast=-0.4, the log of the brightness "
            "ratio. Default: drawn from the training defects."
        ),
    ] = None,
    light: Annotated[
        str | None,
        typer.Option(
            help="Relight the photograph first: +0.5 or --light=-1 (stops), "
            "exposure=6 (where learnt), slope=0.8,angle=45 (brighter "
            "towards the upper right)."
        ),
    ] = None,
    light_model: Annotated[
        Path | None, typer.Option(help="light.json; default the model's own, else a plain sRGB camera.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y", help="Centre of the mask in the photograph; a mask of another size is then a stamp."
        ),
    ] = None,
    turn: Annotated[
        str, typer.Option(metavar="DEGREES", help="Turn the mask counter-clockwise; any: by chance.")
    ] = "0",
    scale: Annotated[float, typer.Option(help="Enlarge the mask.", min=0.05, max=20)] = 1.0,
    number: Annotated[
        int, typer.Option(help="So many copies of the mask, the others at free places.", min=1, max=200)
    ] = 1,
    count: Annotated[int, typer.Option(help="So many photographs, each with its own chance.", min=1, max=100_000)] = 1,
    seed: Seed = None,
    device: Device = None,
) -> None:
    """Fill your own mask on your own photograph; every pixel elsewhere stays what it was."""
    from ..synthesis.paint.config import PaintConfig
    from ..synthesis.paint.stage import Sources, summary
    from ..synthesis.paint.stage import paint as work

    words = PaintConfig(
        category=category,
        classes=classes,
        bits=bits,
        severity=severity,
        light=light,
        at=at,
        turn=turn,
        scale=scale,
        number=number,
        count=count,
    )
    done = summary(work(Sources(photograph, mask, model, light_model), words, seed or 0, device or "auto", out))
    typer.echo(
        f"{done['images']} photographs, {done['instances']} defects, {done['share']:.2%} of the pixels painted "
        f"→ {out / 'annotations.json'}"
    )


def control_card(
    run: Annotated[Path, typer.Argument(help="Run folder with ingest, pool and a finished training.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the card; default RUN/control@METHOD, where the report shows it.")
    ] = None,
    method: MethodName = "anomaly_gan",
    exposures: Annotated[
        str | None,
        typer.Option(help="Expression that finds the exposure in a file's name: learns the light from pairs."),
    ] = None,
    masks: Annotated[int, typer.Option(min=2, help="Masks per category.")] = 24,
    levels: Annotated[int, typer.Option(min=3, max=21, help="Severities per mask.")] = 7,
    seed: Seed = None,
    device: Device = None,
) -> None:
    """Measure what severity, size, light, category and mask do: does the picture follow?"""
    from ..synthesis.control_card.config import CardConfig
    from ..synthesis.control_card.stage import make_card, sentences

    config = CardConfig(method=method, exposures=exposures, masks=masks, levels=levels)
    folder = out or run / f"control@{method}"
    for line in sentences(make_card(run, config, seed or 0, device or "auto", folder)):
        typer.echo(line)
    typer.echo(f"control card → {folder / 'control.json'}")
