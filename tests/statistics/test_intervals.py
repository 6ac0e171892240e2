"""Intervals that several rooms share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from anomaly_gan.statistics.intervals import central, over_objects, share
from anomaly_gan.statistics.ranks import auroc


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (17, 20), (1, 300)])
def test_the_exact_interval_of_a_share_is_scipys(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(0.95, "exact")
    assert share(hits, count) == pytest.approx((expected.low, expected.high))


def test_nothing_tried_says_nothing() -> None:
    assert share(0, 0) == (0.0, 1.0)


def test_auroc_is_sklearns_with_ties() -> None:
    draw = np.random.default_rng(0)
    normal, abnormal = draw.integers(0, 6, 30), draw.integers(2, 9, 20)
    expected = roc_auc_score(np.r_[np.zeros(30), np.ones(20)], np.r_[normal, abnormal])
    assert auroc(normal, abnormal) == pytest.approx(expected)


def test_the_interval_over_objects_takes_them_whole_and_covers_the_truth() -> None:
    """Ten photographs of an object say no more than one: an interval over photographs would be far too narrow."""
    draw, covered, wide = np.random.default_rng(0), 0, []
    for _ in range(60):
        means = draw.normal(0, 1, 12)
        groups = np.repeat([f"o{index}" for index in range(12)], 10)
        values = np.repeat(means, 10)
        found = over_objects(lambda rows, v=values: float(v[rows["a"]].mean()), {"a": list(groups)}, 200, draw)
        assert found is not None
        covered += found[0] <= 0 <= found[1]
        wide.append(found[1] - found[0])
    assert 48 <= covered <= 60 and 0.7 < np.mean(wide) < 1.5


def test_too_few_objects_give_no_interval() -> None:
    rng = np.random.default_rng(0)
    assert over_objects(lambda rows: 1.0, {"a": ["x", "x", "y"]}, 10, rng) is None
    assert over_objects(lambda rows: float("nan"), {"a": ["x", "y", "z"]}, 10, rng) is None


def test_the_central_part() -> None:
    assert central(np.arange(101), 0.9) == pytest.approx((5, 95))
