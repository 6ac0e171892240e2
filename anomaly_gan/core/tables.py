"""Tables as CSV: one way of writing figures for all of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from .files import write_text

_FORMULA = r"['=+\-@|%＝＋－＠\x00-\x1f]"
_BEFORE = re.compile(rf"((?:\A|[;\t\r\n])\s*)(?={_FORMULA})")
_GUARDED = re.compile(rf"((?:\A|[;\t\r\n])\s*)'(?={_FORMULA})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def neutral(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would run as a formula, also after a semicolon or line
    end, where a program with other settings begins a new cell; numbers (``-0.25``) stay. ``plain`` takes it back."""
    return text if _NUMBER.fullmatch(text) else _BEFORE.sub(r"\1'", text)


def plain(text: str) -> str:
    """The text that ``neutral`` was given."""
    return _GUARDED.sub(r"\1", text) if "'" in text else text


def row_writer(stream: TextIO) -> Callable[[Iterable[Any]], Any]:
    """Writes rows as CSV, every text :func:`neutral`: the only way in which this project writes tables."""
    table = csv.writer(stream, lineterminator="\n")

    def write(row: Iterable[Any]) -> None:
        table.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in row])

    return write


def records_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A head and one line a row, which has a cell for every column."""
    stream = io.StringIO()
    write = row_writer(stream)
    write(columns)
    for row in rows:
        write([row[name] for name in columns])
    return stream.getvalue()


def shown(value: Any, decimals: int = 6) -> str:
    """A figure as a table shows it: floats with this many decimals, nothing where it is undefined (None)."""
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A head and one line a row, each value as :func:`shown`."""
    text = io.StringIO()
    write = row_writer(text)
    write(columns)
    for row in rows:
        write([shown(value) for value in row])
    write_text(path, text.getvalue())
