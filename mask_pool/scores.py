"""The experts' score sheet: CSV ``file,shape,label,rater_01..rater_10``, scores 0 (unreasonable) to 10."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomaly_gan.core.errors import InputError

LOWEST, HIGHEST = 0.0, 10.0


@dataclass(frozen=True)
class Score:
    """The mean over all raters of one drawing, and the line of the sheet it stands on."""

    label: str
    mean: float
    raters: int
    line: int


def read_scores(path: Path) -> dict[tuple[str, int], Score]:
    """(file name, shape index) -> score, for every row of the sheet.

    Raises:
        InputError: no such sheet; or ``PATH:LINE:COLUMN`` is missing, no number, or out of 0..10; or a drawing
            is rated twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            raters = _raters(path, reader.fieldnames or [])
            scores: dict[tuple[str, int], Score] = {}
            for row in reader:
                key, score = _read_row(path, reader.line_num, row, raters)
                if key in scores:
                    raise InputError(f"{path}:{reader.line_num}:shape", "F2",
                                     f"{key[0]} shape {key[1]} stands on line {scores[key].line} already",
                                     "keep one row per drawing")
                scores[key] = score
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), "FORMAT", f"not readable as a score sheet ({error})",
                         "save it as CSV in UTF-8") from error
    return scores


def _raters(path: Path, columns: Sequence[str]) -> list[str]:
    for needed in ("file", "shape", "label"):
        if needed not in columns:
            raise InputError(f"{path}:1:{needed}", "FORMAT", "this column is missing",
                             "the header reads file,shape,label,rater_01,rater_02 ...")
    raters = [column for column in columns if column.startswith("rater_")]
    if not raters or len(set(columns)) != len(columns):
        raise InputError(f"{path}:1", "FORMAT", "no rater_ column" if not raters else "a column stands twice",
                         "the header reads file,shape,label,rater_01,rater_02 ...")
    return raters


def _read_row(path: Path, line: int, row: dict[str | None, str | None],
              raters: list[str]) -> tuple[tuple[str, int], Score]:
    if None in row:
        raise InputError(f"{path}:{line}", "FORMAT", "more cells than the header has columns", "remove them")
    file, shape, label = (_cell(path, line, row, column) for column in ("file", "shape", "label"))
    if not shape.isdecimal():
        raise InputError(f"{path}:{line}:shape", "F8", f"{shape!r} is no index", "count the file's shapes from 0")
    values = [_value(path, line, column, _cell(path, line, row, column)) for column in raters]
    return (file, int(shape)), Score(label, math.fsum(values) / len(values), len(values), line)


def _cell(path: Path, line: int, row: dict[str | None, str | None], column: str) -> str:
    text = (row[column] or "").strip()
    if not text:
        raise InputError(f"{path}:{line}:{column}", "F8", "this cell is empty",
                         "fill it in, or remove the row; a mean over fewer raters is not comparable")
    return text


def _value(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not LOWEST <= value <= HIGHEST:
        raise InputError(f"{path}:{line}:{column}", "F8", f"{text!r} is no score from {LOWEST:g} to {HIGHEST:g}",
                         "correct the cell")
    return value
