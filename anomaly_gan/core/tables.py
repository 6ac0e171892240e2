"""Tables as CSV: one way of writing figures for all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .files import write_text

FORMULA = frozenset("=+-@|%\t\r＝＋－＠")


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it, unless it
    is a number (``-0.25``)."""
    return f"'{text}" if text[:1] in FORMULA and not _number(text) else text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def neutral_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose texts are all :func:`neutral`."""
    return {name: neutral(value) if isinstance(value, str) else value for name, value in row.items()}


def shown(value: Any, decimals: int = 6) -> str:
    """A figure as a table shows it: floats with so many decimals, nothing where it is undefined (None)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return neutral(value)
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A head and one line a row, each value as :func:`shown`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([neutral(str(column)) for column in columns])
    table.writerows([shown(value) for value in row] for row in rows)
    write_text(path, text.getvalue())
