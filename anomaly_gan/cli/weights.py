"""``anomaly-gan weights``: standard weight files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import CheckFailed

weights_app = typer.Typer(no_args_is_help=True, help="Standard weight files: what is here, is it whole, fetch it.")


@weights_app.command("list", epilog="anomaly-gan weights list")
def weights_list() -> None:
    """Which standard weights are used, for what, and whether they are here."""
    from ..core import weights

    for row in weights.listing():
        state = "present" if row["present"] else "absent"
        typer.echo(f"{row['name']:28} {state:8} {row['purpose']}; {row['licence']}; {row['path']}")


@weights_app.command("check", epilog="anomaly-gan weights check")
def weights_check() -> None:
    """Compare every file in the weights folder with its SHA-256; exit code 1 where one differs."""
    from ..core import weights

    rows = weights.check()
    for row in rows:
        typer.echo(f"{row['name']:28} {row['state']:8} {row.get('reason', row['path'])}")
    if any(row["state"] == "damaged" for row in rows):
        raise CheckFailed("weights: a file is not what it should be; fetch it again")


@weights_app.command("fetch", epilog="anomaly-gan weights fetch inception_fid --out /media/usb")
def weights_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Which; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: the weights folder.")] = None,
) -> None:
    """Download weights on a machine with a network, into a folder that can be carried to one without."""
    from ..core import weights

    for path in weights.fetch(names or (), out):
        typer.echo(f"{path}")
