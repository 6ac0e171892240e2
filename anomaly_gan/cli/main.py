"""The command line: ``anomaly-gan``. Verbs only; what they do lies in the stages."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from .. import __version__
from ..core.errors import GOES_ON, AnomalyGanError, EnvironmentFailure, InputError
from . import evaluate, runs, stages
from .control import add_control
from .detect import detect_app
from .features import add_features
from .lift import add_lift
from .one_class import one_class_app
from .pool import pool_app
from .studio import add_studio
from .times import Verbs, say_times
from .weights import weights_app

# albumentations asks the network for its newest version at import; a plant has none.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# matplotlib says in three lines that HOME cannot be written; it then works all the same.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: its tables alone would double the start-up
    pretty_exceptions_enable=False,
    help="Synthetic, labelled defects for visual inspection, and the proof that the detector got better.",
)
app.add_typer(runs.verbs)
app.add_typer(stages.verbs)
app.add_typer(evaluate.verbs)
app.add_typer(pool_app, name="pool")
app.add_typer(detect_app, name="detect")
app.add_typer(one_class_app, name="one-class")
app.add_typer(weights_app, name="weights")
add_control(app)
add_studio(app)
add_features(app)
add_lift(app)
say_times(app)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    pass


INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Run the command line; every error a user can act on is one line, without a traceback."""
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal, too
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(getattr(signal, name), _stop)
    try:
        code = app(standalone_mode=False) or 0
        if code == INTERRUPTED:  # typer turns Ctrl-C into this number and says nothing
            _say_interrupted()
        sys.exit(code)
    except AnomalyGanError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # no public name: what typer raises for a verb's group alone
            typer.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        typer.echo(f"error: {' '.join(error.format_message().split())} (see --help)", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses it twice gets the same words once
        _say_interrupted()
        signal.signal(signal.SIGINT, before)
        sys.exit(INTERRUPTED)
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EnvironmentFailure.exit_code)
    except RecursionError:
        typer.echo("error: a file is nested too deeply to be read: it is damaged, or none of ours", err=True)
        sys.exit(InputError.exit_code)
    except Exception as error:
        if "symlink loop" in str(error).lower():  # as Path.resolve says it
            typer.echo(f"error: {error}: choose another folder", err=True)
            sys.exit(InputError.exit_code)
        told = out_of_memory(error)
        if told is None:
            raise
        typer.echo(f"error: {told}", err=True)
        sys.exit(EnvironmentFailure.exit_code)


def out_of_memory(error: BaseException) -> str | None:
    """One line where memory is short, on the machine or on its GPU; None where the error is another."""
    words = " ".join(str(error).split())
    lower = words.lower()
    if type(error).__name__ == "OutOfMemoryError" or "cuda out of memory" in lower or "cudnn_status_alloc" in lower:
        return (
            f"the GPU has too little memory ({words[:120]}): free it, or set a smaller batch; the same command goes on"
        )
    if "cuda error" in lower or "no cuda gpus" in lower:
        return f"the GPU is gone ({words[:120]}): the same command goes on from the last checkpoint"
    short = (
        "cannot allocate memory",
        "can't allocate memory",
        "failed to map segment",
        "can't start new thread",
        "failed to allocate",
        "insufficient memory",
        "not enough memory",
        "std::bad_alloc",
    )
    if isinstance(error, MemoryError) or any(part in lower for part in short):
        return (
            f"too little memory ({words[:120] or 'none left'}): close other programs or raise the limit, then run again"
        )
    return None


def _say_interrupted() -> None:
    from ..core.progress import say

    say(f"interrupted: {GOES_ON}")


def _stop(number: int, frame: FrameType | None) -> None:
    from ..core.progress import say

    say(f"stopped: {GOES_ON}")
    sys.exit(128 + number)
