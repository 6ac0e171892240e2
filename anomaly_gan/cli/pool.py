"""The verbs of the mask pool: ``anomaly-gan pool ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import CheckFailed, ConfigError
from .fields import common
from .options import AlsoJson, RunFolder, Settings, work_stage

pool_app = typer.Typer(
    no_args_is_help=True,
    help="The mask pool: draw, rate, evaluate, build and look at the masks that steer the generator.",
)
Sheet = Annotated[
    Path,
    typer.Argument(
        help="CSV of grades: file,shape,label,sha256,rater,criterion,grade,comment, or "
        "file,shape,label,rater_01,rater_02 ..."
    ),
]
What = Annotated[
    str,
    typer.Option(
        help="drawings (of the run's pool.expert_dir), pool, real-or-generated; or a folder of labelme files, "
        "the drawings in it."
    ),
]


@pool_app.command("build", epilog="anomaly-gan pool build --run runs/mine --set count=100 --set place.strategy=prior")
def pool_build(run: RunFolder, settings: Settings = []) -> None:
    """Masks cut from real defects and drawn by experts, recombined on normal photographs."""
    work_stage(run, "pool", "pool", settings)


@pool_app.command("draw", epilog="anomaly-gan pool draw --run runs/mine --out experts/anna --count 8")
def pool_draw(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the drawings; use it as pool.expert_dir.")],
    count: Annotated[int, typer.Option(min=1, help="Normal photographs to draw on.")] = 8,
    file: Annotated[list[str], typer.Option(help="This photograph; may be repeated.")] = [],
    category: Annotated[list[str], typer.Option(help="Offer only this label; may be repeated.")] = [],
    labelme: Annotated[
        str | None,
        typer.Option(
            metavar="PROGRAM|none",
            help="labelme, if not on the PATH; none: only lay photographs out, for another machine, and check what was "
            "drawn.",
        ),
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(help="Folder of labelme files to show and change: their photographs are laid out with them."),
    ] = None,
) -> None:
    """Open labelme on normal training photographs, with the run's categories, and take up what was saved."""
    from mask_pool.drawing.draw import draw

    found = draw(
        run,
        out,
        count=count,
        files=file,
        categories=category,
        labelme=labelme,
        say=lambda line: typer.echo(line),
        launch=labelme != "none",
        show=show,
    )
    if found.faults:
        raise CheckFailed(f"{out}: {len(found.faults)} faults in the drawings; they are named above")


@pool_app.command("rate", epilog="anomaly-gan pool rate --run runs/mine --what drawings")
def pool_rate(
    run: RunFolder,
    what: What = "drawings",
    method: Annotated[
        str | None,
        typer.Option(help="real-or-generated: whose photographs are mixed in; default the run's only or trained one."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|none",
            help="Keeps the token over restarts; default RUN/rate/token. none: asks for none, only on loopback.",
        ),
    ] = None,
    presort: Annotated[
        bool,
        typer.Option(
            "--presort", help="Show first what the plausibility model finds most plausible; else at random per rater."
        ),
    ] = False,
    settings: Settings = [],
) -> None:
    """Serve the page on which experts rate masks (or tell real from generated); Ctrl-C ends it.

    It is there for this machine alone; --host 0.0.0.0 lets tablets in, with the token. --port 0 takes a free one.
    """
    from mask_pool.rating.config import RateConfig
    from mask_pool.rating.server import serve

    from ..core.config import apply_settings, build

    said = common(settings)
    config = build(RateConfig, apply_settings({}, said.settings), "rate")
    order = None
    if presort:
        from mask_pool.build.filling import priorities

        order = priorities(run, *_what(what), said.seed or 0)
    kind, drawings = _what(what)
    serve(
        run,
        config,
        what=kind,
        drawings=drawings,
        method=method,
        order_by=order,
        token_file=Path(token) if token not in (None, "none") else None,
        no_token=token == "none",
        say=lambda line: typer.echo(line),
    )


def _what(name: str) -> tuple[str, Path | None]:
    """What ``--what`` says: its kind, and the folder of drawings where it names one."""
    from mask_pool.rating.items import MASKS
    from mask_pool.rating.real_or_generated import WHAT

    kind = name.replace("-", "_")
    return ("drawings", Path(name)) if kind not in (*MASKS, WHAT) and Path(name).is_dir() else (kind, None)


@pool_app.command("import-scores", epilog="anomaly-gan pool import-scores filled_in.csv --run runs/mine")
def pool_import_scores(sheet: Sheet, run: RunFolder) -> None:
    """Take a sheet of grades from elsewhere up into the run's ratings; the same sheet twice changes nothing."""
    from mask_pool.rating.export import take_up
    from mask_pool.scoring.score_sheet import read_ratings

    counts = take_up(run, read_ratings(sheet))
    typer.echo(f"{', '.join(f'{name} {count}' for name, count in counts.items())} → {run / 'rate'}")


@pool_app.command("export-scores", epilog="anomaly-gan pool export-scores --run runs/mine --out ratings.csv")
def pool_export_scores(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="CSV to write; use it as pool.expert_scores.")],
    blank: Annotated[
        list[str], typer.Option(help="Instead an empty sheet to fill in, for this rater; may be repeated.")
    ] = [],
    what: What = "drawings",
) -> None:
    """The run's grades as a score sheet, or an empty sheet for people who rate elsewhere."""
    from mask_pool.rating.export import collect, comments, write_sheet
    from mask_pool.scoring.score_sheet import write_blank_sheet

    if blank:
        from mask_pool.rating.config import RateConfig
        from mask_pool.rating.items import load

        masks = sorted(item.mask for item in load(run, *_what(what)).items)
        write_blank_sheet(out, masks, blank, list(RateConfig().criteria))
        typer.echo(f"{len(masks)} masks to grade, for {len(blank)} raters → {out}")
        return
    ratings = collect(run)
    if not ratings.masks:
        raise ConfigError(f"{run}: nobody has rated here yet; start with `anomaly-gan pool rate`")
    write_sheet(out, ratings, comments(run))
    typer.echo(f"{len(ratings.masks)} masks, {len(ratings.raters)} raters → {out}")


@pool_app.command("evaluate", epilog="anomaly-gan pool evaluate --run runs/mine --set drop_outliers=true")
def pool_evaluate(
    run: RunFolder,
    sheet: Annotated[Path | None, typer.Option(help="Score sheet; default: what was rated in the run.")] = None,
    out: AlsoJson = None,
    settings: Settings = [],
) -> None:
    """Fuzzy comprehensive evaluation: scores, agreement, flagged raters, and the masks that would be kept."""
    from mask_pool.rating.export import collect, criteria_weights
    from mask_pool.scoring.config import EvaluateConfig
    from mask_pool.scoring.evaluate import evaluate
    from mask_pool.scoring.score_sheet import read_ratings
    from mask_pool.scoring.text import describe

    from ..core.config import apply_settings, build
    from ..core.workfolder import write_json_alone

    config = build(EvaluateConfig, apply_settings({}, (said := common(settings)).settings), "evaluate")
    ratings = read_ratings(sheet, config.scale()) if sheet else collect(run)
    if sheet is None and not config.weights:
        config = config.model_copy(update={"weights": criteria_weights(run, ratings)})
    found = evaluate(ratings, config, said.seed or 0)
    if not found.ratings.masks:
        raise ConfigError(f"{sheet or run}: no ratings; start with `anomaly-gan pool rate`, or give --sheet")
    typer.echo(describe(found))
    if out is not None:
        write_json_alone(out, {"summary": found.summary(), "masks": found.table()})
        typer.echo(f"evaluation → {out}")


@pool_app.command("real-or-generated", epilog="anomaly-gan pool real-or-generated --run runs/mine")
def pool_real_or_generated(run: RunFolder) -> None:
    """How often the raters told real photographs from generated ones, with a 95 % interval; half is guessing."""
    from mask_pool.rating.real_or_generated import report

    typer.echo(report(run).text())


@pool_app.command("stats", epilog="anomaly-gan pool stats --run runs/demo")
def pool_stats(run: RunFolder) -> None:
    """Counts, sizes, shapes, places, diversity and copies of the pool's masks beside the real ones."""
    from mask_pool.statistics.stage import text

    from ..core.json_files import read_as, understood

    path = run / "pool" / "stats.json"
    if not path.is_file():
        raise ConfigError(f"{path}: no finished pool here; run `anomaly-gan pool build`")
    stats = read_as(path, dict)
    with understood(path):
        typer.echo(text(stats))
    typer.echo(f"drawn: {run / 'pool' / 'stats'}")


@pool_app.command("show", epilog="anomaly-gan pool show screws_A/000003.png --run runs/demo")
def pool_show(
    item: Annotated[str, typer.Argument(help="Item of the pool, CATEGORY/000001.png.")], run: RunFolder
) -> None:
    """Where one mask of the pool comes from: parents, transforms, place, seed and the raters' scores."""
    from mask_pool.statistics.ancestry import show

    typer.echo(show(run, item))


@pool_app.command("study", epilog="anomaly-gan pool study plausibility --run runs/mine --out runs/mine/plausibility")
def pool_study(
    subject: Annotated[
        str,
        typer.Argument(
            help="plausibility (does it tell real masks from shuffled ones?) "
            "or placement (random, prior, prior and regions)."
        ),
    ],
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for table.csv and pictures.")],
    settings: Settings = [],
) -> None:
    """Measure on your own photographs, by whole objects, what the plausibility model or the placement is worth."""
    from .pool_study import study

    said = common(settings)
    for line in study(subject, run, out, said.settings, said.seed or 0):
        typer.echo(line)
