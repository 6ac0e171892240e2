"""The tables of a benchmark. The same results give the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomaly_gan.core.tables import shown, write_csv

COLUMNS = ("detector", "dataset", "protocol", "normal", "seed", "auroc", "aupr_in", "aupr_out", "f1", "seconds")
METRICS = ("auroc", "aupr_in", "aupr_out", "f1")
AVERAGE = "average"
Result = dict[str, Any]


def summarise(results: Sequence[Result]) -> list[dict[str, object]]:
    """Per class, and over all classes of a split as ``average``: mean and standard deviation over the seeds (of one
    seed: None).

    The average's deviation is that of the seeds' own averages, as the papers give it. A figure that is undefined in
    any cell is left out of its class; an average needs every class in every seed.
    """
    numbers = {row["normal"]: row["number"] for row in results}
    rows = []
    for normal in sorted(numbers, key=numbers.__getitem__):
        mine = [row for row in results if row["normal"] == normal]
        rows.append(
            {"normal": normal, "seeds": len(mine), **{name: _mean_std([row[name] for row in mine]) for name in METRICS}}
        )
    splits = list(dict.fromkeys(row["split"] for row in sorted(results, key=lambda row: row["number"])))
    for split in splits:
        mine = [row for row in results if row["split"] == split]
        seeds = sorted({row["seed"] for row in mine})
        over = {name: [_mean([row[name] for row in mine if row["seed"] == seed]) for seed in seeds] for name in METRICS}
        title = AVERAGE if len(splits) == 1 else f"{AVERAGE}, {split}"
        rows.append({"normal": title, "seeds": len(seeds), **{name: _mean_std(over[name]) for name in METRICS}})
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _mean_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return None, None
    return sum(known) / len(known), statistics.stdev(known) if len(known) > 1 else None


def write_table(path: Path, results: Sequence[Result]) -> None:
    """One row a cell by class and seed; figures with six decimals, empty where undefined, seconds with two."""
    rows = sorted(results, key=lambda row: (row["number"], row["seed"]))
    write_csv(
        path, COLUMNS, [[shown(row[name], 2) if name == "seconds" else row[name] for name in COLUMNS] for row in rows]
    )


def write_summary(path: Path, summary: Sequence[dict[str, Any]]) -> None:
    columns = ["normal", "seeds", *(f"{name}_{kind}" for name in METRICS for kind in ("mean", "std"))]
    write_csv(
        path,
        columns,
        [[row["normal"], row["seeds"], *(value for name in METRICS for value in row[name])] for row in summary],
    )


def write_categories(path: Path, results: Sequence[Result]) -> None:
    """AUROC of the normal images against one kind of abnormal ones at a time."""
    rows = sorted(results, key=lambda row: (row["number"], row["seed"]))
    write_csv(
        path,
        ("normal", "seed", "abnormal", "auroc"),
        [
            [row["normal"], row["seed"], kind, value]
            for row in rows
            for kind, value in sorted(row["categories"].items())
        ],
    )
