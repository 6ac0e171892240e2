"""Which physical object a photograph shows: from a CSV table, a regular expression, or (knowing nothing) the file."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..core.errors import ConfigError, InputError
from ..core.tables import plain
from .ledger import refuse

ABSOLUTE = re.compile(r"([A-Za-z]:)?/")


@dataclass(frozen=True)
class GroupRow:
    group: str
    fold: int | None = None


@dataclass(frozen=True)
class Grouping:
    """``rows``: the CSV by file (``category/file`` where it has a category column); ``pattern``: the expression."""

    rows: dict[str, GroupRow] | None = None
    pattern: re.Pattern[str] | None = None
    on_path: bool = False
    """The expression is searched in the whole path below the root, not in the file's name alone."""
    used: set[str] = field(default_factory=set)

    def of(self, file: str, declared: str | None = None) -> GroupRow:
        """The group of the photograph ``file``; ``declared`` is what its label file says itself.

        Raises:
            InputError: E3 the table has no row for it, or the expression does not match.
        """
        if self.rows is not None:
            return self._row(file)
        if self.pattern is not None:
            name = self._search(file if self.on_path else PurePosixPath(file).name)
            if name is None:
                rule = f"group_regex {self.pattern.pattern!r}"
                elsewhere = None if self.on_path else self._search(file)
                if elsewhere is not None:
                    reason = f"{rule} does not match the file's name, but the folders before it"
                    raise refuse(file, "E3", reason, "set group_on=path")
                raise refuse(file, "E3", f"{rule} does not match", "correct it")
            return GroupRow(name)
        return GroupRow(declared if declared is not None else file)

    def _search(self, text: str) -> str | None:
        assert self.pattern is not None
        found = self.pattern.search(text)
        return (found["group"] if "group" in found.re.groupindex else found[1]) if found else None

    def _row(self, file: str) -> GroupRow:
        assert self.rows is not None
        path = PurePosixPath(file)
        keys = (file, "/".join(path.parts[-2:]), path.name)
        for key in (*keys, *(key.removesuffix(path.suffix) for key in keys)):
            if key in self.rows:
                self.used.add(key)
                return self.rows[key]
        raise refuse(file, "E3", "has no row in the groups file", "add it: without a group it could leak into the test")


def read_grouping(
    table: Path | None, column: str, expression: str | None, fold_needed: bool, on_path: bool = False
) -> Grouping:
    """The grouping that a configuration asks for.

    Raises:
        ConfigError: both a table and an expression, or an expression that is none or has no group.
        InputError: the table is missing, lacks a column, or gives one file two groups.
    """
    if table is not None and expression is not None:
        raise ConfigError("ingest: give groups or group_regex, not both")
    if expression is not None:
        try:
            pattern = re.compile(expression)
        except re.error as error:
            raise ConfigError(f"ingest.group_regex: {error}") from error
        if pattern.groups == 0:
            raise ConfigError("ingest.group_regex: needs a pair of brackets around what names the object")
        return Grouping(pattern=pattern, on_path=on_path)
    return Grouping(rows=_read_table(table, column, fold_needed) if table is not None else None)


def _read_table(table: Path, column: str, fold_needed: bool) -> dict[str, GroupRow]:
    try:
        if table.read_bytes().startswith(b"PK\x03\x04"):
            raise InputError(str(table), "C13", "is an Excel workbook, not CSV", "save it as CSV (UTF-8)")
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            str(table), "MISSING", f"the groups file cannot be read ({error.strerror})", "check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(str(table), "C13", "the groups file is not UTF-8", "save it as UTF-8") from error
    head = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    names = [name.strip().casefold() for name in reader.fieldnames or []]
    reader.fieldnames = names
    column = column.strip().casefold()
    for needed in ("file", column):
        if needed not in names:
            raise InputError(
                str(table),
                "E3",
                f"has no column {needed!r} (columns: {', '.join(names)})",
                "name it with group_column" if needed == column else "add it",
            )
    folds = fold_needed and "fold" in names
    rows: dict[str, GroupRow] = {}
    for line, cells in enumerate(reader, start=2):
        row = {name: plain(cell).strip() if isinstance(cell, str) else cell for name, cell in cells.items()}
        if not row["file"] or not row[column]:
            raise InputError(f"{table}[line {line}]", "E3", f"file or {column} is empty", "fill it in")
        told = row["file"].replace("\\", "/")
        key = f"{row['category']}/{told}" if row.get("category") else told
        if ABSOLUTE.match(told):  # of another machine: its last two parts say which photograph
            key = "/".join(told.split("/")[-2:])
        entry = GroupRow(row[column].strip(), _fold(table, line, row["fold"]) if folds else None)
        if rows.setdefault(key, entry) != entry:
            raise InputError(f"{table}[line {line}]", "E3", f"{key} stands twice, with different groups", "remove one")
    return rows


def _fold(table: Path, line: int, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise InputError(f"{table}[line {line}]", "E3", f"fold {text!r} is not a whole number", "correct it") from error
