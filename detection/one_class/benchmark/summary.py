"""The tables of a benchmark. The same results give the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomaly_gan.core.tables import shown, write_csv

from .result import CellResult

METRICS = ("auroc", "aupr_in", "aupr_out", "f1")
PLACE = ("detector", "dataset", "protocol", "normal", "seed")
AVERAGE = "average"


@dataclass(frozen=True)
class MeanStd:
    """``std`` is None of one seed; both are None where undefined."""

    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True)
class Row:
    """A class, or the average over all: every metric over ``seeds`` seeds."""

    normal: str
    seeds: int
    metrics: Mapping[str, MeanStd]


def summarise(results: Sequence[CellResult]) -> list[Row]:
    """Per class, and over all classes of a split as ``average``: mean and standard deviation over the seeds.

    The average's deviation is that of the seeds' own averages, as the papers give it. A figure that is undefined in
    any cell is left out of its class; an average needs every class in every seed.
    """
    numbers = {row.cell.normal: row.cell.number for row in results}
    rows = []
    for normal in sorted(numbers, key=numbers.__getitem__):
        mine = [row for row in results if row.cell.normal == normal]
        over = {name: _mean_std([row.figures.of(name) for row in mine]) for name in METRICS}
        rows.append(Row(normal, len(mine), over))
    splits = list(dict.fromkeys(row.split for row in sorted(results, key=lambda row: row.cell.number)))
    for split in splits:
        mine = [row for row in results if row.split == split]
        seeds = sorted({row.cell.seed for row in mine})
        over = {
            name: _mean_std([_mean([row.figures.of(name) for row in mine if row.cell.seed == seed]) for seed in seeds])
            for name in METRICS
        }
        rows.append(Row(AVERAGE if len(splits) == 1 else f"{AVERAGE}, {split}", len(seeds), over))
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _mean_std(values: Sequence[float | None]) -> MeanStd:
    known = [value for value in values if value is not None]
    if not known:
        return MeanStd()
    return MeanStd(sum(known) / len(known), statistics.stdev(known) if len(known) > 1 else None)


def write_table(path: Path, results: Sequence[CellResult]) -> None:
    """One row a cell by class and seed; figures with six decimals, empty where undefined, seconds with two."""
    rows = [
        [
            *(getattr(row.cell, name) for name in PLACE),
            *(row.figures.of(name) for name in METRICS),
            shown(row.seconds, 2),
        ]
        for row in _in_order(results)
    ]
    write_csv(path, (*PLACE, *METRICS, "seconds"), rows)


def write_summary(path: Path, summary: Sequence[Row]) -> None:
    columns = ["normal", "seeds", *(f"{name}_{kind}" for name in METRICS for kind in ("mean", "std"))]
    over = [(row, [row.metrics[name] for name in METRICS]) for row in summary]
    write_csv(
        path, columns, [[row.normal, row.seeds, *(x for of in found for x in (of.mean, of.std))] for row, found in over]
    )


def write_categories(path: Path, results: Sequence[CellResult]) -> None:
    """AUROC of the normal images against one kind of abnormal ones at a time."""
    write_csv(
        path,
        ("normal", "seed", "abnormal", "auroc"),
        [
            [row.cell.normal, row.cell.seed, kind, value]
            for row in _in_order(results)
            for kind, value in sorted(row.figures.categories.items())
        ],
    )


def _in_order(results: Sequence[CellResult]) -> list[CellResult]:
    return sorted(results, key=lambda row: (row.cell.number, row.cell.seed))
