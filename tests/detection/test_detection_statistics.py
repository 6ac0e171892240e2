"""Intervals against numbers worked out by hand, AP against pycocotools."""

import numpy as np
import pytest
from plain_ap import weighted_ap50

from detection.evaluation.statistics import (
    Interval,
    Matches,
    percentile_interval,
    resampled_map50,
    resampling_weights,
    t_interval,
    verdict,
)


def test_t_interval_by_hand() -> None:
    """1, 2, 3: mean 2, s = 1, t(0.975; 2) = 4.302653: half-width 4.302653 / sqrt(3) = 2.484138."""
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2.0
    assert interval.low == pytest.approx(2 - 2.484138, abs=1e-5)
    assert interval.high == pytest.approx(2 + 2.484138, abs=1e-5)


def test_one_value_has_no_interval_and_no_value_no_mean() -> None:
    assert t_interval([0.4]) == Interval(0.4, None, None)
    with pytest.raises(ValueError, match="no values"):
        t_interval([])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.10, 0.11, 0.12], "better"),
        ([-0.10, -0.11, -0.12], "worse"),
        ([0.1, -0.1, 0.02], "no difference shown"),
        ([0.5], "no difference shown"),
        ([0.0, 0.0, 0.0], "no difference shown"),
    ],
)
def test_verdict(values: list[float], expected: str) -> None:
    assert verdict(t_interval(values)) == expected


def test_percentile_interval() -> None:
    interval = percentile_interval(0.5, [number / 100 for number in range(101)])
    assert (interval.low, interval.high) == (pytest.approx(0.025), pytest.approx(0.975))


def test_ap_by_hand() -> None:
    """Hit, miss, hit of two instances: precision 1 up to recall 1/2, then 2/3: (51 * 1 + 50 * 2/3) / 101."""
    matches = Matches(np.array([True, False, True]), np.array([0, 0, 1]), np.array([1, 1]))
    assert weighted_ap50(matches, np.ones(2)) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_drawing_an_object_twice_is_adding_it_twice() -> None:
    matches = Matches(np.array([True, False, True, False]), np.array([0, 1, 1, 2]), np.array([1, 2, 0]))
    twice = Matches(
        np.array([True, False, False, True, True, False]), np.array([0, 1, 3, 1, 3, 2]), np.array([1, 2, 0, 2])
    )
    assert weighted_ap50(matches, np.array([1, 2, 1])) == pytest.approx(weighted_ap50(twice, np.ones(4)))


def test_a_resample_without_true_instances_has_no_figure() -> None:
    matches = Matches(np.array([True]), np.array([0]), np.array([1, 0]))
    assert weighted_ap50(matches, np.array([0, 2])) is None
    assert np.isnan(resampled_map50([matches], np.array([[0, 2]]))).all()


def test_resamples_draw_as_many_objects_as_there_are() -> None:
    weights = resampling_weights(7, 50, np.random.default_rng(0))
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
