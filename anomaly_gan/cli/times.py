"""The order of the verbs in ``--help``, and how long each takes on an ordinary PC."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

ORDER = ("demo", "run", "status", "report", "ingest", "compare", "pool", "train", "generate", "gate", "export")
"""What most people need comes first; the others follow as they were added."""

ORDINARY_PC = "On two cores without bf16 arithmetic"
TIMES = {
    "demo": "5 to 15 minutes; it begins with an estimate for this machine. --time-budget 5m ends it earlier",
    "run": "minutes to hours; it begins with an estimate for this machine. --time-budget 45m holds it to that",
    "status": "a second, and a minute where gigabytes of photographs are to be compared with what was ingested",
    "report": "about 10 s, also while the run works",
    "ingest": "about 1 s for 100 photographs of one megapixel",
    "compare": "hours for a study, minutes to hours for one run; it begins with an estimate for this machine",
    "pool build": "about a minute for 200 masks of each of four categories",
    "pool draw": "as long as you draw",
    "pool rate": "as long as people rate; the page is there after a few seconds",
    "pool import-scores": "a second",
    "pool export-scores": "a second",
    "pool evaluate": "a few seconds",
    "pool real-or-generated": "a second",
    "pool stats": "a second",
    "pool show": "a second",
    "pool study": "minutes",
    "train": "about half an hour for 2,000 steps; --time-budget 25m ends it earlier",
    "generate": "about a minute for 100 photographs",
    "gate": "one to a few minutes for 100 photographs of each category",
    "export": "seconds for 100 photographs",
    "explain": "less than a second",
    "evaluate": "about a minute for 100 pictures a side",
    "lift": "days for the whole study, minutes for --max-cells 1; every cell is kept, the same command goes on",
    "detect train": "about 10 min for 600 steps at 256 px",
    "detect eval": "about 10 s for 100 photographs",
    "detect predict": "about 10 s for 100 photographs",
    "detect export": "about half a minute",
    "one-class list": "a second",
    "one-class train": "a minute (patch_memory) to hours (other detectors with --preset full)",
    "one-class score": "about 10 s for 100 photographs",
    "one-class evaluate": "about 10 s for 100 photographs",
    "one-class recalibrate": "about 10 s for 100 photographs",
    "one-class export": "about 20 s",
    "one-class benchmark": "minutes (--preset quick) to days (--preset full)",
    "one-class study": "a quarter of an hour and more",
    "paint": "a few seconds, and well under one for each further photograph",
    "control-card": "a few minutes",
    "features": "one to a few minutes",
    "weights list": "a second",
    "weights check": "a few seconds",
    "weights fetch": "as long as half a gigabyte takes on your line",
}
"""By verb. Rough, from runs on small machines; where it depends on the work, the verb begins with an estimate."""


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
    """Let ``--help`` of every verb end with the time it takes; ``above``: the verbs' common first word."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        takes = TIMES.get(f"{above} {name}".strip())
        words = f"Takes: {takes}. ({ORDINARY_PC}.)" if takes else None
        command.epilog = "\n\n".join(part for part in (words, command.epilog) if part)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            say_times(group.typer_instance, f"{above} {group.name or ''}".strip())
