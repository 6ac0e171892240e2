"""Reading a store beside the server that writes it, or on a medium where nothing can be written."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TypedDict, cast

from anomaly_gan.core.errors import EnvironmentFailure

from .store_check import copied, failure, refuse_other_versions, unwritable

SCHEMA = "1"
"""Of the store; another one is refused."""


class RatingRow(TypedDict):
    """What a rater last said of a thing by a criterion; ``grade`` is None where it was undone, or for a comment."""

    what: str
    file: str
    shape: int
    label: str
    sha256: str
    rater: str
    criterion: str
    grade: float | None
    comment: str
    seq: int


def newest_rows(path: Path) -> list[RatingRow]:
    """Every slot's newest row with the rater's name, read beside a running server; [] where there is no file.

    Nothing needs to be written: on a read-only medium a copy is read.

    Raises:
        InputError: F12 the file is damaged; FORMAT another version wrote it.
        EnvironmentFailure: it cannot be read now.
    """
    if not path.is_file():
        return []
    try:
        return _newest_rows(path, path)
    except sqlite3.Error as error:
        if not unwritable(error):
            raise failure(path, error) from error
    try:
        with copied(path) as copy:
            return _newest_rows(copy, path)
    except sqlite3.Error as error:
        raise failure(path, error) from error
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be read: {error.strerror or error}") from error


def _newest_rows(place: Path, path: Path) -> list[RatingRow]:
    with contextlib.closing(sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as reader:
        refuse_other_versions(reader, path, SCHEMA)
        reader.row_factory = sqlite3.Row
        rows = reader.execute(
            "SELECT what, file, shape, label, sha256, name AS rater, criterion, grade, comment, max(seq) AS seq "
            "FROM ratings JOIN raters ON raters.id = ratings.rater "
            "GROUP BY ratings.rater, what, file, shape, sha256, criterion ORDER BY max(seq)"
        ).fetchall()
        return cast("list[RatingRow]", [dict(row) for row in rows])
