"""What the run inferred on its own: per category, how real defects lie, and which method paints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..folders import Run
from ..tables import Table, table


def build(run: Run) -> dict[str, object] | None:
    """The part, a table of direction, size and place, and the methods chosen; None where nothing is known."""
    pool, chosen = run.get("pool"), run.get("choose")
    categories = _mapping(pool.metrics.get("categories")) if pool else {}
    known = {name: real for name, item in categories.items() if (real := _mapping(_mapping(item).get("real")))}
    if not known and chosen is None:
        return None
    part = _mapping(pool.metrics.get("part")) if pool else {}
    return {
        "part": part.get("sentence"),
        "habits": habit_table(known),
        "sentences": [(name, _sentences(real)) for name, real in known.items()],
        "choice": choice_table(_mapping(chosen.metrics.get("categories"))) if chosen else None,
    }


def habit_table(known: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Direction (mean, spread, test), what is made of it, sizes, share on the part, and the place."""
    rows = []
    for name, real in known.items():
        direction, place, edge = (_mapping(real.get(key)) for key in ("direction", "place", "edge"))
        rows.append(
            [
                name,
                direction.get("objects"),
                _degrees(direction.get("axis_deg")),
                _degrees(direction.get("spread_deg")),
                direction.get("p"),
                f"±{direction['rotation']:.0f}°" if isinstance(direction.get("rotation"), int | float) else None,
                _range(direction.get("scale"), "× {:.2f} to {:.2f}"),
                _share(place.get("median_share")),
                _range(place.get("along"), "{:.2f} … {:.2f}"),
                _range(place.get("across"), "{:+.2f} … {:+.2f}"),
                edge.get("short"),
            ]
        )
    heads = [
        "category",
        "objects",
        "direction",
        "spread",
        "p of the test",
        "turned by",
        "sizes",
        "share on the part",
        "along",
        "across",
        "border",
    ]
    return table(heads, rows) if rows else None


def choice_table(categories: Mapping[str, Any]) -> Table | None:
    """What was measured of each method, which was taken, and why."""
    rows: list[list[object]] = []
    for name, item in ((name, _mapping(item)) for name, item in categories.items()):
        taken, why = item.get("method"), f"taken: {item.get('why')}"
        trials = item.get("trials") or []
        for trial in trials:
            interval = _range([trial.get("low"), trial.get("high")], "{:.2f} to {:.2f}")
            accepted, said = _share(trial.get("accepted")), why if trial.get("method") == taken else None
            rows.append([name, trial.get("method"), trial.get("painted"), accepted, trial.get("auroc"), interval, said])
        if taken not in [trial.get("method") for trial in trials]:  # none, or what the user has set
            rows.append([name, taken, None, None, None, None, why])
    heads = ["category", "method", "painted", "pass the checks", "two-sample AUROC", "95 % interval", ""]
    return table(heads, rows) if rows else None


def _sentences(real: Mapping[str, Any]) -> list[str]:
    found = [_mapping(real.get(key)).get("sentence") for key in ("direction", "place", "edge", "material")]
    return [sentence for sentence in found if sentence]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _degrees(value: Any) -> str | None:
    return f"{value:.0f}°" if isinstance(value, int | float) else None


def _share(value: Any) -> str | None:
    return f"{value:.0%}" if isinstance(value, int | float) else None


def _range(values: Any, form: str) -> str | None:
    """Two numbers, or of several the first and the last, in words."""
    if not isinstance(values, list | tuple) or len(values) < 2 or any(value is None for value in values):
        return None
    return form.format(values[0], values[-1])
