"""Score sheets, in two forms: wide (``file,shape,label,rater_01..``) and long (a row per grade)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.tables import plain, row_writer
from anomaly_gan.core.workfolder import write_text_alone

from .fuzzy import Scale, even_scale
from .ratings import HIGHEST, LOWEST, OVERALL, RatedMask, Ratings

LONG = ("file", "shape", "label", "sha256", "rater", "criterion", "grade", "comment")
"""Columns of the long form, as written; ``sha256`` and ``comment`` may be absent when read."""
MOST_CELLS = 20_000_000
"""Largest N x R x C that is laid out: 160 MB."""

Key = tuple[RatedMask, str, str]


@dataclass(frozen=True)
class Sheet:
    """Ratings, the line of the sheet on which each mask first stands, and the comments that were written."""

    ratings: Ratings
    lines: dict[RatedMask, int]
    comments: dict[Key, str] = field(default_factory=dict)


def read_ratings(path: Path, scale: Scale | None = None) -> Ratings:
    """The grades of a sheet of either form; see ``read_sheet``."""
    return read_sheet(path, scale).ratings


def read_sheet(path: Path, scale: Scale | None = None) -> Sheet:
    """Read a score sheet; masks, raters and criteria come sorted, so the order of rows and columns says nothing.

    Long form: a missing row or an empty grade is a missing cell; a grade is a number from 0 to 10 or a word of
    ``scale`` (the five default grades where None), which counts as the word's peak. Wide form: one criterion
    ``overall``, numbers only, no empty cell. The delimiter is a comma or a semicolon (then 7,5 is a number too).

    Raises:
        InputError: ``FORMAT`` no such or no such kind of sheet; ``PATH:LINE:COLUMN`` F2 a grade is given twice, F7 one
            mask has two labels, or a row without hash fits several, F8 a cell is empty, no number or out of 0..10.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        delimiter = _delimiter(text)
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        columns = [name.strip() for name in rows.fieldnames or []]
        rows.fieldnames = columns
        long = {"rater", "criterion", "grade"} <= set(columns)
        _check_columns(path, columns, long)
        reader = _Rows(path, scale or even_scale(), "," if delimiter == ";" else ".")
        for row in rows:
            (reader.take_long if long else reader.take_wide)(rows.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            str(path), "FORMAT", f"not readable as a score sheet ({error})", "save it as CSV in UTF-8"
        ) from error
    return reader.sheet()


def write_ratings(path: Path, ratings: Ratings, comments: Mapping[Key, str] | None = None) -> None:
    """Write the grades that were given in the long form, sorted, atomically; the same ratings give the same bytes.

    Cells that a spreadsheet would take for a formula get a leading apostrophe, which ``read_ratings`` takes off.
    Masks, raters and criteria without any grade or comment leave no trace.

    Args:
        comments: what (mask, rater, criterion) said; kept even where that cell has no grade.
    """
    said = dict(comments or {})
    given = {
        (ratings.masks[n], ratings.raters[r], ratings.criteria[c]): repr(float(ratings.grades[n, r, c]))
        for n, r, c in np.argwhere(~np.isnan(ratings.grades)).tolist()
    }
    rows = (
        (
            mask,
            rater,
            criterion,
            given.get((mask, rater, criterion), "").removesuffix(".0"),
            said.get((mask, rater, criterion), ""),
        )
        for mask, rater, criterion in sorted({*given, *said})
    )
    _write(path, rows)


def write_blank_sheet(path: Path, masks: Sequence[RatedMask], raters: Sequence[str], criteria: Sequence[str]) -> None:
    """Write a long sheet with empty grades, for people who rate elsewhere; filled in, ``read_ratings`` takes it."""
    _write(
        path,
        (
            (mask, rater, criterion, "", "")
            for rater in sorted(raters)
            for mask in sorted(masks)
            for criterion in criteria
        ),
    )


def _write(path: Path, rows: Iterable[tuple[RatedMask, str, str, str, str]]) -> None:
    out = io.StringIO(newline="")
    write = row_writer(out)
    write(LONG)
    for mask, rater, criterion, grade, comment in rows:
        write([mask.file, mask.shape, mask.label, mask.sha256, rater, criterion, grade, comment])
    write_text_alone(path, out.getvalue())


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","


def _check_columns(path: Path, columns: Sequence[str], long: bool) -> None:
    remedy = f"the header reads {','.join(LONG)}, or file,shape,label,rater_01,rater_02 ..."
    for needed in ("file", "shape", "label"):
        if needed not in columns:
            raise InputError(f"{path}:1:{needed}", "FORMAT", "this column is missing", remedy)
    if len(set(columns)) != len(columns):
        raise InputError(f"{path}:1", "FORMAT", "a column stands twice", remedy)
    if not long and not any(column.startswith("rater_") for column in columns):
        raise InputError(f"{path}:1", "FORMAT", "no rater_ column, and not rater, criterion and grade", remedy)


Row = dict[str | None, str | None]


class _Rows:
    """Takes the rows of one sheet, refuses what cannot be meant, and lays the grades out as an array."""

    def __init__(self, path: Path, scale: Scale, decimal: str) -> None:
        self.path, self.scale, self.decimal = path, scale, decimal
        self.rows: list[tuple[int, RatedMask, str, str, float, str]] = []

    def take_wide(self, line: int, row: Row) -> None:
        mask = self._mask(line, row)
        for rater in (column for column in row if column and column.startswith("rater_")):
            text = self._cell(
                line, row, rater, "fill it in, or remove the row; a mean over fewer raters is not comparable"
            )
            self.rows.append((line, mask, rater, OVERALL, self._grade(line, rater, text, False), ""))

    def take_long(self, line: int, row: Row) -> None:
        mask = self._mask(line, row)
        rater, criterion = (self._cell(line, row, column, "fill it in") for column in ("rater", "criterion"))
        text = plain(row.get("grade") or "").strip()
        grade = self._grade(line, "grade", text, True) if text else math.nan
        self.rows.append((line, mask, rater, criterion, grade, plain(row.get("comment") or "")))

    def sheet(self) -> Sheet:
        """What was taken, as one array of grades; a grade that is not there is NaN.

        Raises:
            InputError: F2 two grades for one cell; FORMAT too many cells.
        """
        known = self._known_masks()
        cells: dict[Key, tuple[int, float]] = {}
        lines: dict[RatedMask, int] = {}
        comments: dict[Key, str] = {}
        for line, named, rater, criterion, grade, comment in self.rows:
            mask = self._resolve(line, named, known)
            key = mask, rater, criterion
            if key in cells:
                raise InputError(
                    f"{self.path}:{line}:shape",
                    "F2",
                    f"{mask.file} shape {mask.shape} has a grade of "
                    f"{rater} ({criterion}) on line {cells[key][0]} already",
                    "keep one of the two",
                )
            cells[key] = line, grade
            lines.setdefault(mask, line)
            if comment:
                comments[key] = comment
        masks, raters, criteria = (sorted(set(names)) for names in zip(*cells, strict=True)) if cells else ([], [], [])
        if len(masks) * len(raters) * len(criteria) > MOST_CELLS:
            raise InputError(
                str(self.path),
                "FORMAT",
                f"{len(masks)} masks x {len(raters)} raters x {len(criteria)} criteria are too many",
                "split the sheet, or correct the rater and criterion columns",
            )
        grades = np.full((len(masks), len(raters), len(criteria)), np.nan)
        at = [{name: index for index, name in enumerate(names)} for names in (masks, raters, criteria)]
        for key, (_, grade) in cells.items():
            grades[at[0][key[0]], at[1][key[1]], at[2][key[2]]] = grade
        return Sheet(Ratings(tuple(masks), tuple(raters), tuple(criteria), grades), lines, comments)

    def _known_masks(self) -> dict[tuple[str, int], dict[str, tuple[str, int]]]:
        """(file, shape) -> hash -> (label, first line); one label for all."""
        known: dict[tuple[str, int], dict[str, tuple[str, int]]] = {}
        for line, mask, *_ in self.rows:
            hashes = known.setdefault((mask.file, mask.shape), {})
            label, first = next(iter(hashes.values()), (mask.label, line))
            if label != mask.label:
                raise InputError(
                    f"{self.path}:{line}:label",
                    "F7",
                    f"{mask.file} shape {mask.shape} is labelled {mask.label!r}, but {label!r} on line {first}",
                    "give one mask one label",
                )
            hashes.setdefault(mask.sha256, (label, line))
        return known

    def _resolve(
        self,
        line: int,
        mask: RatedMask,
        known: dict[tuple[str, int], dict[str, tuple[str, int]]],
    ) -> RatedMask:
        """The mask with the one hash that its other rows give, where this row gives none."""
        hashes = [one for one in known[mask.file, mask.shape] if one]
        if mask.sha256 or not hashes:
            return mask
        if len(hashes) > 1:
            raise InputError(
                f"{self.path}:{line}:sha256",
                "F7",
                f"{mask.file} shape {mask.shape} was changed while it "
                "was rated, and this row does not say which state it means",
                "fill in the hash",
            )
        return RatedMask(mask.file, mask.shape, mask.label, hashes[0])

    def _mask(self, line: int, row: Row) -> RatedMask:
        if None in row:
            raise InputError(f"{self.path}:{line}", "FORMAT", "more cells than the header has columns", "remove them")
        file, shape, label = (
            self._cell(line, row, column, "fill it in, or remove the row") for column in ("file", "shape", "label")
        )
        if not (shape.isascii() and shape.isdecimal() and len(shape) < 10):
            raise InputError(
                f"{self.path}:{line}:shape", "F8", f"{shape!r} is no index", "count the file's shapes from 0"
            )
        return RatedMask(file, int(shape), label, plain(row.get("sha256") or "").strip())

    def _cell(self, line: int, row: Row, column: str, remedy: str) -> str:
        text = plain(row[column] or "").strip()
        if not text:
            raise InputError(f"{self.path}:{line}:{column}", "F8", "this cell is empty", remedy)
        return text

    def _grade(self, line: int, column: str, text: str, words: bool) -> float:
        word = self.scale.value_of(text) if words else None
        if word is not None:
            return word
        try:
            value = float(text.replace(self.decimal, "."))
        except ValueError:
            value = math.nan
        if not LOWEST <= value <= HIGHEST:
            known = f" or one of {', '.join(self.scale.names)}" if words else ""
            raise InputError(
                f"{self.path}:{line}:{column}",
                "F8",
                f"{text!r} is no score from {LOWEST:g} to {HIGHEST:g}{known}",
                "correct the cell",
            )
        return value
