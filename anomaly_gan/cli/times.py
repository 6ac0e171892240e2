"""The order of the verbs in ``--help``, and how long each takes on an ordinary PC."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from .fields import Verb

ORDER = ("demo", "run", "status", "report", "ingest", "compare", "pool", "train", "generate", "gate", "export")
"""What most people need comes first; the others follow as they were added."""

TIMES = {
    "demo": "5 to 15 minutes; it begins with an estimate for this machine. --time-budget 5m ends it earlier",
    "run": "minutes to hours; it begins with an estimate for this machine. --time-budget 45m holds it to that",
    "status": "a second, and a minute where gigabytes of photographs are to be compared with what was ingested",
    "report": "about 5 s for some hundred photographs, also while the run works",
    "ingest": "150 to 500 photographs of 256 x 256 a second and core, some 50 of one megapixel",
    "compare": "hours for a study, minutes to hours for one run; it begins with an estimate for this machine",
    "pool build": "10 to 30 masks a second",
    "pool draw": "as long as you draw",
    "pool rate": "as long as people rate; the page is there after a few seconds",
    "pool import-scores": "a second",
    "pool export-scores": "a second",
    "pool evaluate": "a few seconds",
    "pool real-or-generated": "a second",
    "pool stats": "a second",
    "pool show": "about a second",
    "pool study": "minutes",
    "train": "0.6 s of one core a step (8 windows of 64 x 64): 20 minutes for 2,000; --time-budget 25m ends it earlier",
    "generate": "about 40 photographs of 512 x 512 a second, 60 of 256 x 256",
    "gate": "about 12 photographs a second",
    "export": "more than 100 photographs of 256 x 256 a second",
    "explain": "half a second",
    "evaluate": "about half a minute for 100 pictures a side",
    "lift": "days for the whole study, minutes for --max-cells 1; every cell is kept, the same command goes on",
    "detect train": "ten minutes of one core for 200 defective photographs of 350 x 350 (about 2 steps a second)",
    "detect eval": "about 10 s for 100 photographs",
    "detect predict": "about 10 s for 100 photographs",
    "detect export": "about half a minute",
    "one-class list": "a second",
    "one-class train": "half a minute (patch_memory) to hours (other detectors with --preset full)",
    "one-class score": "about 10 s for 100 photographs",
    "one-class evaluate": "about 10 s for 100 photographs",
    "one-class recalibrate": "about 10 s for 100 photographs",
    "one-class export": "about 20 s",
    "one-class benchmark": "minutes (--preset quick) to days (--preset full)",
    "one-class study": "a quarter of an hour and more",
    "paint": "a few seconds, and well under one for each further photograph",
    "studio": "as long as you look; the page is there after a few seconds",
    "control-card": "a few minutes",
    "features": "one to a few minutes",
    "weights list": "a second",
    "weights check": "a few seconds",
    "weights fetch": "as long as half a gigabyte takes on your line",
}
"""By verb, on two cores without bf16 arithmetic. Rates are measured (``benchmarks/verb_times.py``,
``benchmarks/ingest.py``, ``benchmarks/generate.py``, the demo's stages); the rest is rough, from runs on small
machines. A verb of many stages begins with an estimate."""


class Verbs(TyperGroup):
    """The main verbs first."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Whole sentences, where typer would cut them off."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def say_times(app: typer.Typer, above: str = "") -> None:
    """Let ``--help`` of every verb name the time it takes, and every verb take its fields as options.

    ``above``: the verbs' common first word.
    """
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        verb = f"{above} {name}".strip()
        command.cls = type("Verb", (Verb,), {"verb": verb, "takes": TIMES.get(verb, "")})
    for group in app.registered_groups:
        if group.typer_instance is not None:
            say_times(group.typer_instance, f"{above} {group.name or ''}".strip())
