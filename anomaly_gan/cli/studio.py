"""The verb ``anomaly-gan studio``: a page on which a run is reviewed, looked at and painted on."""

from __future__ import annotations

import typer

from .fields import common
from .options import RunArgument, Settings


def add_studio(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("studio", epilog="anomaly-gan studio runs/mine\nanomaly-gan studio runs/mine --host 0.0.0.0")(studio)


def studio(run: RunArgument, settings: Settings = []) -> None:
    """Serve a page to go through generated photographs, see verdict and masks, and paint; Ctrl-C ends it.

    It is there for this machine alone; --host 0.0.0.0 lets tablets in, with the token. --port 0 takes a free one.
    """
    from mask_pool.rating.config import RateConfig

    from ..core.config import apply_settings, build
    from ..studio.server import serve

    said = common(settings)
    config = build(RateConfig, apply_settings({}, said.settings), "studio")
    serve(run, config, typer.echo, said.device or "auto")
