"""The two-sample probe: blind where there is nothing to see, sure where there is, silent with few objects."""

from __future__ import annotations

import numpy as np

from anomaly_gan.metrics.two_sample import describe, two_sample


def test_alike_and_apart_and_few():
    rng = np.random.default_rng(1)
    rows, truth = rng.normal(0, 1, (80, 6)), np.repeat([0, 1], 40)
    groups = [f"{side}{at // 2}" for side in "ab" for at in range(40)]
    alike = two_sample(rows, truth, groups, np.random.default_rng(2))
    assert alike is not None and alike.low < 0.5 < alike.high
    rows[truth == 1, 2] += 4
    apart = two_sample(rows, truth, groups, np.random.default_rng(2))
    assert apart is not None and apart.low > 0.9
    assert two_sample(rows, truth, ["a"] * 40 + groups[40:], rng) is None


def test_a_description_is_finite_and_of_one_length():
    rng = np.random.default_rng(3)
    lengths = set()
    for shape, where in (((40, 50), slice(10, 20)), ((30, 30, 3), slice(0, 30)), ((24, 60), slice(0, 3))):
        mask = np.zeros(shape[:2], np.uint8)
        mask[where, where] = 1
        found = describe(rng.integers(0, 256, shape, dtype=np.uint8), mask)
        assert np.isfinite(found).all()
        lengths.add(len(found))
    assert len(lengths) == 1
