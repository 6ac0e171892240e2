"""Tables that no spreadsheet takes for formulas, and whose numbers stay numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from anomaly_gan.core.tables import neutral, plain, write_csv


@pytest.mark.parametrize("text", ["=1+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "+A1", "|x", "\tx"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert neutral(text) == f"'{text}" and plain(neutral(text)) == text


@pytest.mark.parametrize("text", ["-0.25", "-3", "+1.5", "-1e-05", "crack", ""])
def test_numbers_and_plain_words_stay_as_they_are(text: str) -> None:
    assert neutral(text) == text


def test_a_negative_loss_is_read_back_as_a_number(tmp_path: Path) -> None:
    write_csv(tmp_path / "losses.csv", ["step", "loss"], [[1, f"{-0.0112466:.6g}"], [2, -0.5]])
    with (tmp_path / "losses.csv").open() as stream:
        assert [float(row["loss"]) for row in csv.DictReader(stream)] == [-0.0112466, -0.5]


def test_names_that_begin_like_a_formula_come_back_through_our_own_tables(tmp_path: Path) -> None:
    """A groups file and an exported ``labels.csv`` are tables too, and are read again."""
    from anomaly_gan.ingestion.groups import read_grouping

    write_csv(tmp_path / "groups.csv", ["file", "group"], [["=1.png", "@a"], ["+b/-2.png", "p"], ["'x.png", "'q"]])
    cells = (tmp_path / "groups.csv").read_text(encoding="utf-8").replace("\n", ",").split(",")
    assert not [cell for cell in cells if cell[:1] in set("=+-@")]
    grouping = read_grouping(tmp_path / "groups.csv", "group", None, False)
    assert [grouping.of(name).group for name in ("=1.png", "+b/-2.png", "'x.png")] == ["@a", "p", "'q"]
