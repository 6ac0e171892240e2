"""The one-class filter's decisions, on maps made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detection.one_class.synthetic_filter.rules import (
    BACKGROUND,
    DEFECT,
    Finding,
    Level,
    compare_map,
    compare_score,
    grown,
    reasons,
    to_square_mask,
)

LEVEL = Level(threshold=1.0, typical=0.2)


def quiet() -> np.ndarray:
    return np.full((16, 16), 0.2, np.float32)


@pytest.fixture
def inside() -> np.ndarray:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 1
    return mask


def with_values(**places: float) -> np.ndarray:
    made = quiet()
    for name, value in places.items():
        row, column = map(int, name[1:].split("_"))
        made[row, column] = value
    return made


def test_a_defect_found_on_a_quiet_background_is_no_outlier(inside):
    found = compare_map(with_values(p5_5=1.5), inside, LEVEL, quiet())
    assert found == Finding(1.5, True, 1.0, pytest.approx(0.2), False, False)
    assert reasons({"a": found}) == []


def test_a_defect_that_is_not_unusual_is_an_outlier(inside):
    found = compare_map(with_values(p5_5=0.9), inside, LEVEL, quiet())
    assert not found.defect_unusual and reasons({"a": found}) == [DEFECT]


def test_what_lies_outside_the_mask_does_not_make_the_defect_unusual(inside):
    found = compare_map(with_values(p12_12=9.0), inside, LEVEL, with_values(p12_12=9.0))
    assert not found.defect_unusual and reasons({"a": found}) == [DEFECT]


def test_a_background_that_became_unusual_is_an_outlier(inside):
    found = compare_map(with_values(p5_5=1.5, p12_12=1.4), inside, LEVEL, quiet())
    assert found.background == pytest.approx(1.4) and reasons({"a": found}) == [BACKGROUND]


@pytest.mark.parametrize(("before", "blamed"), [(1.5, False), (0.9, True), (1.3, False), (1.19, True)])
def test_a_quirk_of_the_base_is_not_blamed(inside, before, blamed):
    """Blamed from 0.25 x (1.0 - 0.2) = 0.2 above what stood there before."""
    found = compare_map(with_values(p5_5=1.5, p12_12=1.4), inside, LEVEL, with_values(p12_12=before), margin=0.25)
    assert found.background_unusual is blamed and found.background_above is True


@pytest.mark.parametrize(("reach", "blamed"), [(0, True), (1, True), (2, False)])
def test_a_quirk_may_move_by_the_reach(inside, reach, blamed):
    found = compare_map(with_values(p5_5=1.5, p12_12=1.4), inside, LEVEL, with_values(p12_10=1.4), reach=reach)
    assert found.background_unusual is blamed


def test_without_a_base_the_background_is_not_judged(inside):
    found = compare_map(with_values(p5_5=1.5, p12_12=7.0), inside, LEVEL)
    assert found.background_unusual is None and found.background_above is True and reasons({"a": found}) == []


def test_the_same_mask_on_normals_can_set_the_bound(inside):
    map_HW = with_values(p5_5=0.9)
    assert compare_map(map_HW, inside, LEVEL, inside_threshold=0.8).defect_unusual
    assert not compare_map(map_HW, inside, LEVEL, inside_threshold=0.95).defect_unusual


def test_a_mask_over_everything_leaves_no_background():
    found = compare_map(quiet(), np.ones((16, 16), np.uint8), LEVEL, quiet())
    assert (found.background, found.background_unusual, found.background_above) == (None, None, None)


def test_one_detector_is_enough_to_find_and_enough_to_blame():
    found, missed = compare_score(2.0, LEVEL), compare_score(0.5, LEVEL)
    blaming = Finding(2.0, True, 1.0, 3.0, True, True)
    assert reasons({"a": missed, "b": found}) == []
    assert reasons({"a": missed, "b": missed}) == [DEFECT]
    assert reasons({"a": found, "b": blaming}) == [BACKGROUND]


@pytest.mark.parametrize("shape", [(300, 500), (16, 16), (5, 9), (1, 400)])
def test_a_single_pixel_survives_the_square(shape):
    for row, column in ((0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)):
        mask = np.zeros(shape, np.uint8)
        mask[row, column] = 1
        square = to_square_mask(mask, 16)
        assert square.shape == (16, 16) and square.any()
        assert square[row * 16 // shape[0], column * 16 // shape[1]]


def test_a_mask_grows_by_its_share_of_the_side_and_at_least_one_pixel():
    mask = np.zeros((32, 32), np.uint8)
    mask[16, 16] = 1
    assert grown(mask, 32, 0.0625)[0].sum() == 25 and grown(mask, 32, 0.0)[1] == 1


def test_between_inside_and_outside_nothing_is_judged(inside):
    outside = np.zeros((16, 16), np.uint8)
    outside[12:] = 1
    near, far = with_values(p5_5=1.5, p9_9=3.0), with_values(p5_5=1.5, p12_3=3.0)
    assert compare_map(near, inside, LEVEL, quiet(), outside_01=outside).background_unusual is False
    assert compare_map(far, inside, LEVEL, quiet(), outside_01=outside).background_unusual is True
