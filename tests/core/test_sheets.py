"""Contact sheets: shape, place and content of what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from anomaly_gan.core.contact_sheet import GAP, HEADER_HEIGHT, LARGEST_CELL, contact_sheet


def test_every_picture_lies_in_its_own_cell():
    rows = [[np.full((8, 8), 10 * (3 * line + column + 1), np.uint8) for column in range(3)] for line in range(2)]
    sheet = contact_sheet(rows, ["a", "b", "c"], cell=16)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (HEADER_HEIGHT + GAP + 2 * (16 + GAP), GAP + 3 * (16 + GAP))
    for line in range(2):
        for column in range(3):
            y, x = HEADER_HEIGHT + GAP + line * (16 + GAP), GAP + column * (16 + GAP)
            assert (sheet[y : y + 16, x : x + 16] == 10 * (3 * line + column + 1)).all()


def test_one_colour_picture_makes_the_sheet_rgb_and_keeps_its_channel_order():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    sheet = contact_sheet([[np.zeros((4, 4), np.uint8), red]], [], cell=4)
    assert sheet.shape == (GAP + 4 + GAP, GAP + 2 * (4 + GAP), 3)
    assert (sheet[GAP : GAP + 4, 2 * GAP + 4 : 2 * GAP + 8] == (200, 0, 0)).all()


def test_aspect_ratio_is_kept_and_missing_cells_stay_white():
    sheet = contact_sheet([[np.zeros((10, 40), np.uint8)], []], [], cell=40)
    dark = np.argwhere(sheet == 0)
    assert np.ptp(dark[:, 0]) + 1 == 10
    assert np.ptp(dark[:, 1]) + 1 == 40
    assert (sheet[GAP + 40 :] == 255).all()


def test_header_is_drawn_inside_its_column_and_survives_other_scripts():
    sheet = contact_sheet([[np.full((9, 9), 255, np.uint8)] * 2], ["a very long label indeed", "ξéש"], cell=48)
    band = sheet[:HEADER_HEIGHT]
    assert (band[:, GAP : GAP + 48] < 128).any()
    assert (band[:, 2 * GAP + 48 :] < 128).any()
    assert (band[:, GAP + 49 : 2 * GAP + 47] == 255).all()


def test_no_rows_is_an_empty_sheet_and_bad_pictures_are_refused():
    assert contact_sheet([], ["a"]).shape[0] == HEADER_HEIGHT + GAP
    with pytest.raises(ValueError, match="uint8"):
        contact_sheet([[np.zeros((3, 3), np.float32)]], ["a"])
    with pytest.raises(ValueError, match="cell"):
        contact_sheet([], [], cell=0)


def test_nothing_is_shrunk_and_what_is_small_is_magnified_by_a_whole_factor():
    rng = np.random.default_rng(0)
    large, small = (rng.integers(0, 256, (side, side), dtype=np.uint8) for side in (150, 40))
    sheet = contact_sheet([[large, small]], ["a", "b"], cell=96)
    y, x = HEADER_HEIGHT + GAP, GAP
    assert (sheet[y : y + 150, x : x + 150] == large).all()
    assert (sheet[y + 15 : y + 135, 2 * GAP + 150 + 15 : 2 * GAP + 150 + 135] == small.repeat(3, 0).repeat(3, 1)).all()
    huge = rng.integers(0, 256, (700, 900), dtype=np.uint8)
    top, left = (700 - LARGEST_CELL) // 2, (900 - LARGEST_CELL) // 2
    shown = contact_sheet([[huge]], cell=96)[GAP : GAP + LARGEST_CELL, GAP : GAP + LARGEST_CELL]
    assert (shown == huge[top : top + LARGEST_CELL, left : left + LARGEST_CELL]).all()
