"""The verbs of control: ``anomaly-gan paint`` and ``anomaly-gan control-card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .fields import common
from .options import MethodName, Settings, read_metrics


def add_control(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("paint", epilog=PAINT_EXAMPLES)(paint)
    app.command("control-card", epilog="anomaly-gan control-card runs/tiles --exposures 'exp(\\d)_'")(control_card)


PAINT_EXAMPLES = """\
anomaly-gan paint part.png --model runs/mine/train@anomaly_gan --mask part.json --out painted
anomaly-gan paint part.png --model runs/mine/train@anomaly_gan --mask crack.png --category crack --severity 0.8 --out p2
"""


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
    settings: Settings = [],
) -> None:
    """Fill your own mask on your own photograph; every pixel elsewhere stays what it was.

    Also: --at X,Y puts the mask's centre there (a mask of another size is then a stamp), --turn DEGREES or any, --scale
    enlarges it, --number copies of it at free places, --count photographs each with its own chance, --classes
    1=crack,2=dent of the mask's values; --bits, --colour, --exif: how they are read, as `ingest` takes them.
    """
    from ..core.config import apply_settings, build
    from ..synthesis.paint.config import PaintConfig
    from ..synthesis.paint.stage import Sources, summary
    from ..synthesis.paint.stage import paint as work

    said = common(settings)
    given = {"category": category, "severity": severity, "light": light}
    given = {name: value for name, value in given.items() if value is not None}
    config = build(PaintConfig, apply_settings(given, said.settings), "paint")
    sources = Sources(photograph, mask, model, light_model)
    done = summary(work(sources, config, said.seed or 0, said.device or "auto", out))
    for line in read_metrics(out)["remarks"]:
        typer.echo(line, err=True)
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
    settings: Settings = [],
) -> None:
    """Measure what severity, size, light, category and mask do: does the picture follow?

    --exposures REGEX finds the exposure in a file's name: the light is then learnt from pairs of photographs.
    """
    from ..core.config import apply_settings, build
    from ..synthesis.control_card.config import CardConfig
    from ..synthesis.control_card.stage import make_card, sentences

    said = common(settings)
    config = build(CardConfig, apply_settings({"method": method}, said.settings), "control-card")
    folder = out or run / f"control@{method}"
    for line in sentences(make_card(run, config, said.seed or 0, said.device or "auto", folder)):
        typer.echo(line)
    typer.echo(f"control card → {folder / 'control.json'}")
