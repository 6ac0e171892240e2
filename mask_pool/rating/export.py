"""Ratings out of the store and sheets into it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.json_files import read_as

from ..scoring.ratings import OVERALL, RatedMask, Ratings
from ..scoring.score_sheet import write_ratings
from .real_or_generated import FOLDER, WHAT
from .store import NAME, Store
from .store_reading import RatingRow, newest_rows

RATER_CHARS = 40
CRITERIA = "criteria.json"
"""What was asked on the page, and the weight of each criterion; beside the ratings."""


def collect(run: Path) -> Ratings:
    """All grades that count now, of drawings and pool items; masks, raters and criteria are sorted.

    Works beside a running server. A run that nobody has rated gives empty ``Ratings``.

    Raises:
        InputError: F12 the store is damaged.
    """
    rows = [row for row in _rows(run) if row["grade"] is not None]
    masks = sorted({_mask(row) for row in rows})
    raters, criteria = sorted({row["rater"] for row in rows}), sorted({row["criterion"] for row in rows})
    places = {mask: index for index, mask in enumerate(masks)}
    grades = np.full((len(masks), len(raters), len(criteria)), np.nan)
    for row in rows:
        grades[places[_mask(row)], raters.index(row["rater"]), criteria.index(row["criterion"])] = row["grade"]
    return Ratings(tuple(masks), tuple(raters), tuple(criteria), grades)


def criteria_weights(run: Path, ratings: Ratings) -> dict[str, float]:
    """The weights that the page was last served with, of the criteria that were graded; empty where it never was."""
    path = run / FOLDER / CRITERIA
    weights = read_as(path, dict[str, float]) if path.is_file() else {}
    return {name: weights[name] for name in ratings.criteria if name in weights}


def comments(run: Path) -> dict[tuple[RatedMask, str], str]:
    """(mask, rater) -> the rater's newest comment, where there is one."""
    return {(_mask(row), row["rater"]): row["comment"] for row in _rows(run, "comment") if row["comment"]}


def _rows(run: Path, criterion: str | None = None) -> list[RatingRow]:
    return [
        row
        for row in newest_rows(run / FOLDER / NAME)
        if row["what"] != WHAT and (row["criterion"] == criterion if criterion else row["grade"] is not None)
    ]


def _mask(row: RatingRow) -> RatedMask:
    return RatedMask(row["file"], row["shape"], row["label"], row["sha256"])


def write_sheet(path: Path, ratings: Ratings, said: Mapping[tuple[RatedMask, str], str] | None = None) -> None:
    """Write the long form of ``scores.write_ratings``: one row per grade, sorted, no cell a formula.

    What was ``said`` of a mask (see ``comments``) stands on the rater's first row for it, or on a row without grade.

    Raises:
        EnvironmentFailure: ``path`` cannot be written.
    """
    rows: dict[tuple[RatedMask, str, str], str] = {}
    for (mask, rater), comment in (said or {}).items():
        given = [
            criterion
            for c, criterion in enumerate(ratings.criteria)
            if mask in ratings.masks
            and rater in ratings.raters
            and not np.isnan(ratings.grades[ratings.masks.index(mask), ratings.raters.index(rater), c])
        ]
        rows[mask, rater, min(given or ratings.criteria or (OVERALL,))] = comment
    write_ratings(path, ratings, rows)


def take_up(run: Path, ratings: Ratings) -> dict[str, int]:
    """Take a sheet's grades up into the run's store: all of them or, on an error, none.

    Taking up the same sheet twice changes nothing. Where a rater of that name has graded the mask on the page, the
    page's grade stays.

    Returns:
        Counts: ``added``, ``changed`` (an earlier sheet said otherwise), ``unchanged``, ``kept_from_page``.

    Raises:
        EnvironmentFailure: a server has the store open.
        ConfigError: a rater's name cannot be one.
    """
    for name in ratings.raters:
        if rater_name(name) is None:
            raise ConfigError(
                f"rater {name!r}: a name begins with a letter or digit and has {RATER_CHARS} characters at most"
            )
    store = Store(run / FOLDER)
    try:
        return store.take_up(_grades(ratings))
    finally:
        store.close()


def _grades(ratings: Ratings) -> Iterator[tuple[str, str, RatedMask, str, float]]:
    for n, r, c in np.argwhere(~np.isnan(ratings.grades)).tolist():
        mask = ratings.masks[n]
        what = "pool" if mask.file.startswith("pool/") else "drawings"
        yield (str(rater_name(ratings.raters[r])), what, mask, ratings.criteria[c], float(ratings.grades[n, r, c]))


def rater_name(text: str) -> str | None:
    """The name as it is kept (NFC, one space between words), or None where it cannot be one.

    It begins with a letter or digit, so no spreadsheet takes it for a formula, and holds nothing invisible.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    fine = (
        0 < len(name) <= RATER_CHARS
        and name[0].isalnum()
        and all(unicodedata.category(char)[0] not in "C" for char in name)
    )
    return name if fine else None
