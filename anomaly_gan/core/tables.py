"""Tables as CSV: one way of writing figures for all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .files import write_text


def shown(value: Any, decimals: int = 6) -> str:
    """A figure as a table shows it: floats with so many decimals, nothing where it is undefined (None)."""
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A head and one line a row, each value as :func:`shown`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([shown(value) for value in row] for row in rows)
    write_text(path, text.getvalue())
