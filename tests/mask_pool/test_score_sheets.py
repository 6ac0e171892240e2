"""Score sheets: both forms, what spreadsheets do to them, and formulas that must not run."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.tables import neutral, plain
from mask_pool.scoring.fuzzy import even_scale
from mask_pool.scoring.ratings import RatedMask, Ratings
from mask_pool.scoring.score_sheet import read_ratings, read_sheet, write_blank_sheet, write_ratings

LONG = "file,shape,label,sha256,rater,criterion,grade,comment\n"


def ratings() -> Ratings:
    masks = (
        RatedMask("a.json", 0, "scrap", "ff"),
        RatedMask("a.json", 1, "=cmd|' /C calc'!A1", "ee"),
        RatedMask("pool/scrap/000001.png", 0, "scrap"),
    )
    grades = np.array([[[1.0, np.nan], [7.5, 10]], [[0, 0.1], [1 / 3, 2]], [[np.nan, 5], [6, np.nan]]])
    return Ratings(masks, ("+ann", "bo;=1+1"), ("place", "shape"), grades)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    before, path = ratings(), tmp_path / "long.csv"
    said = {(before.masks[0], "+ann", "place"): "gut;\n=HYPERLINK(1) 🙂 <b>'", (before.masks[0], "+ann", "shape"): "?"}
    write_ratings(path, before, said)
    sheet = read_sheet(path)
    assert (sheet.ratings.masks, sheet.ratings.raters, sheet.ratings.criteria) == (
        before.masks,
        before.raters,
        before.criteria,
    )
    np.testing.assert_array_equal(sheet.ratings.grades, before.grades)
    assert sheet.comments == said
    first = path.read_bytes()
    write_ratings(path, sheet.ratings, sheet.comments)
    assert path.read_bytes() == first
    assert first.decode().splitlines()[0] + "\n" == LONG


@given(st.text(alphabet="=+-@'; ,\t\r\n\"|%＝ax\0", max_size=8))
@settings(max_examples=400, deadline=None)
def test_no_cell_starts_a_formula_and_every_text_comes_back(text: str) -> None:
    """Also after a semicolon or line end, where a program with other settings begins a cell."""
    safe = neutral(text)
    assert plain(safe) == text
    if re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", text):
        return  # a number is no formula
    for cell in safe.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert cell.lstrip()[:1] not in set("=+-@|%＝") or not cell.strip()


def test_the_order_of_rows_says_nothing(tmp_path: Path) -> None:
    rows = [
        f"a.json,{n},scrap,,{r},{c},{g},\n"
        for n, r, c, g in [(0, "x", "place", 3), (1, "x", "shape", 4), (0, "y", "shape", 5), (1, "y", "place", 6)]
    ]
    for name, content in (("one", rows), ("two", rows[::-1])):
        (tmp_path / name).write_text(LONG + "".join(content))
    one, two = (read_ratings(tmp_path / name) for name in ("one", "two"))
    assert (one.masks, one.raters, one.criteria) == (two.masks, two.raters, two.criteria)
    np.testing.assert_array_equal(one.grades, two.grades)
    assert np.isnan(one.grades).sum() == 4


def test_a_spreadsheets_semicolons_decimal_commas_and_mark_are_read(tmp_path: Path) -> None:
    """sha256 and comment may be missing; a word counts as its grade's peak, an empty grade is a missing cell."""
    path = tmp_path / "excel.csv"
    path.write_bytes(
        "\ufefffile;shape;label;rater;criterion;grade\r\na.json;0;Öl;ann;place;7,5\r\n"
        "a.json;0;Öl;ann;shape; Good\r\na.json;0;Öl;bo;place;\r\na.json;0;Öl;bo;shape;'4\r\n".encode()
    )
    with pytest.raises(InputError, match=r"excel\.csv:5:grade: F8: \"'4\" is no score from 0 to 10 or one of poor"):
        read_ratings(path)
    path.write_bytes(path.read_bytes().replace(b"'4", b"4"))
    np.testing.assert_array_equal(read_ratings(path).grades, [[[7.5, 7.5], [np.nan, 4]]])
    path.write_bytes(path.read_bytes().replace(b"Good", b"great"))
    two = read_ratings(path, even_scale(("bad", "great")))
    assert two.grades[0, 0, 1] == 10.0 and two.masks[0].label == "Öl"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["a.json,0,scrap,,ann,place,3,", "a.json,0,scrap,,ann,place,3,"], r":3:shape: F2: .* on line 2 already"),
        (
            ["a.json,0,scrap,,ann,place,3,", "a.json,0,crack,,bo,place,3,"],
            r":3:label: F7: .*'crack', but 'scrap' on line",
        ),
        (["a.json,0,scrap,aa,ann,place,3,", "a.json,0,scrap,,ann,place,3,"], r":3:shape: F2: "),
        (["a.json,0,scrap,aa,x,p,3,", "a.json,0,scrap,bb,y,p,3,", "a.json,0,scrap,,z,p,3,"], r":4:sha256: F7: "),
        (["a.json,0,scrap,,ann,place,11,"], r":2:grade: F8: "),
        (["a.json,0,scrap,,ann,place,nan,"], r":2:grade: F8: "),
        (["a.json,0,scrap,,,place,1,"], r":2:rater: F8: "),
        (["a.json,0,scrap,,ann, ,1,"], r":2:criterion: F8: "),
        (["a.json,²,scrap,,ann,place,1,"], r":2:shape: F8: "),
        (["a.json,0,scrap,,ann,place,1,x,y"], r":2: FORMAT: "),
        (['a.json,0,scrap,,"ann,place,1,'], "FORMAT: not readable"),
        ([f"a.json,{n},scrap,,r{n},c{n},1," for n in range(300)], "FORMAT: 300 masks x 300 raters x 300 criteria"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(tmp_path: Path, rows: list[str], fault: str) -> None:
    path = tmp_path / "long.csv"
    path.write_text(LONG + "\n".join(rows) + "\n")
    with pytest.raises(InputError, match=fault):
        read_ratings(path)


@pytest.mark.parametrize(
    "header",
    [
        "file,shape,rater_01",
        "file,shape,label",
        "file,shape,label,rater,grade",
        "file,shape,label,rater_01,rater_01",
        "",
    ],
)
def test_another_header_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(header + "\n")
    with pytest.raises(InputError, match="FORMAT"):
        read_ratings(path)


@given(st.binary(max_size=60), st.lists(st.text("a0,;'\"\r\n\t .-=5", max_size=25), max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_sheet_or_a_named_fault(tail: bytes, rows: list[str], comma: bool) -> None:
    """No other exception, and what is taken lies on the scale."""
    header = LONG if comma else LONG.replace(",", ";")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(header.encode() + "\n".join(rows).encode() + tail)
        try:
            read = read_ratings(path)
        except InputError as error:
            assert str(error).startswith(str(path))
        else:
            assert read.grades.shape == (len(read.masks), len(read.raters), len(read.criteria))


def test_two_states_of_one_drawing_are_two_masks(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(LONG + "a.json,0,scrap,aa,ann,place,3,\na.json,0,scrap,bb,ann,place,9,\n")
    read = read_ratings(path)
    assert [(mask.sha256, grade) for mask, grade in zip(read.masks, read.grades[:, 0, 0], strict=True)] == [
        ("aa", 3.0),
        ("bb", 9.0),
    ]


def test_a_wide_sheet_has_one_criterion_and_no_sheet_has_none(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("file,shape,label,rater_01,rater_02\na.json,1,scrap,3,4\na.json,0,scrap,5,6.5\n")
    read = read_ratings(path)
    assert (read.raters, read.criteria) == (("rater_01", "rater_02"), ("overall",))
    np.testing.assert_array_equal(read.grades[:, :, 0], [[5, 6.5], [3, 4]])
    path.write_text(LONG)
    assert read_ratings(path).grades.shape == (0, 0, 0)
    with pytest.raises(InputError, match="FORMAT"):
        read_ratings(tmp_path / "nowhere.csv")


def test_a_blank_sheet_can_be_filled_in(tmp_path: Path) -> None:
    path, masks = tmp_path / "blank.csv", ratings().masks
    write_blank_sheet(path, masks, ["bo", "-ann"], ["shape", "place"])
    lines = path.read_text().splitlines()
    assert len(lines) == 1 + 3 * 2 * 2 and lines[1].startswith("a.json,0,scrap,ff,'-ann,shape,,")
    assert np.isnan(read_ratings(path).grades).all()
    path.write_text(path.read_text().replace("shape,,", "shape,excellent,"))
    read = read_ratings(path)
    assert read.masks == masks and read.raters == ("-ann", "bo")
    assert (read.grades[:, :, read.criteria.index("shape")] == 10).all()
