"""Tables for whatever a stage measured: named columns where the shape is known, every figure in any case."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NUMBER = re.compile(r"[-+–−]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?( ?%| [\[(].*[\])])?|\[.*\]|–|")
LONGEST = 200
"""Rows of a table that are shown; the rest is counted (a report of 100,000 rows helps nobody)."""


@dataclass(frozen=True)
class Table:
    """Column heads and rows of plain values; ``left_out`` rows were too many to show."""

    columns: list[str]
    rows: list[list[Any]]
    title: str = ""
    left_out: int = 0

    @property
    def numeric(self) -> list[bool]:
        """Per column: whether all its values are numbers (shares in per cent too), to be set flush right."""
        values = [[row[column] for row in self.rows if row[column] is not None] for column in range(len(self.columns))]
        return [bool(known) and all(map(is_number, known)) for known in values]


def is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> Table:
    return Table(list(columns), [list(row) for row in rows[:LONGEST]], title, max(0, len(rows) - LONGEST))


def metric_tables(metrics: Mapping[str, Any], skip: Sequence[str] = ()) -> list[Table]:
    """Everything in ``metrics``: one table of single figures, and one per mapping of mappings (rows = its keys)."""
    single: list[list[Any]] = []
    tables: list[Table] = []
    for key, value in metrics.items():
        if key in skip:
            continue
        if isinstance(value, Mapping) and value and all(isinstance(item, Mapping) for item in value.values()):
            tables.append(_pivot(key, value))
        else:
            single.extend([name, item] for name, item in flatten(value, key))
    return ([table(["figure", "value"], single)] if single else []) + tables


def flatten(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """(dotted name, single value) for every leaf; short lists of numbers or words stay together."""
    if isinstance(value, Mapping):
        return [leaf for key, item in value.items() for leaf in flatten(item, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list):
        if len(value) <= 8 and all(not isinstance(item, Mapping | list) for item in value):
            return [(name, ", ".join(figure(item) for item in value))]
        return [(name, f"{len(value)} entries")]
    return [(name, value)]


def figure(value: Any) -> str:
    """A number as people read it: None and NaN as a dash, whole numbers with thin spaces, else four digits."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    if isinstance(value, float):
        return f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= 10_000 else f"{value:.4g}"
    return str(value)


def evenly(items: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` items, evenly spaced from the first on: a choice nobody made by looking."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def _pivot(title: str, rows: Mapping[str, Any]) -> Table:
    flat = {str(key): dict(flatten(row)) for key, row in rows.items()}
    columns = list(dict.fromkeys(name for row in flat.values() for name in row))
    return table(["", *columns], [[key, *(row.get(name) for name in columns)] for key, row in flat.items()], title)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value itself where it is a mapping; an empty one for anything else that a stage may have left there."""
    return value if isinstance(value, Mapping) else {}
