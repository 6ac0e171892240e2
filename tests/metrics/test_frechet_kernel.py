"""Distances between feature sets: identities, a hand-computed case, and independent implementations."""

import numpy as np
import pytest
import scipy.linalg

from anomaly_gan.core.errors import InputError
from anomaly_gan.metrics.frechet import frechet_distance
from anomaly_gan.metrics.kernel import kernel_distance


def features(seed, n, d, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d) * scale + shift


@pytest.mark.parametrize(("n", "d"), [(7, 320), (50, 320), (500, 20)])
def test_a_set_against_itself_is_zero(n, d):
    x = features(1, n, d, shift=2.0, scale=5.0)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0.0, abs=1e-6)


def test_symmetric():
    a, b = features(1, 30, 40), features(2, 50, 40, shift=0.3)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)
    assert kernel_distance(a, b) == pytest.approx(kernel_distance(b, a), rel=1e-12)


def test_two_gaussians_by_hand():
    # variances 1 and 4 in one axis, 9 and 1 in the other, means 3 and 4 apart: 9 + 16 + (1-2)^2 + (3-1)^2 = 30
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)
    a, b = corners * [1, 3], corners * [2, 1] + [3, 4]
    assert frechet_distance(a, b) == pytest.approx(30.0, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 24), (12, 15, 24)])
def test_singular_values_agree_with_the_matrix_root(n, m, d):
    a, b = features(3, n, d), features(4, m, d, shift=0.2, scale=1.5)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b) - 2 * np.trace(np.real(root))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_kernel_distance_equals_clean_fid_on_whole_sets():
    from cleanfid.fid import kernel_distance as reference

    a, b = features(5, 40, 32), features(6, 40, 32, shift=0.1)
    assert kernel_distance(a, b) == pytest.approx(reference(a, b, num_subsets=1), rel=1e-9)


def test_kernel_distance_is_unbiased_where_the_frechet_distance_is_not():
    kernel, frechet = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(10, 16)), rng.normal(size=(10, 16))
        kernel.append(kernel_distance(a, b))
        frechet.append(frechet_distance(a, b))
    error = np.std(kernel) / np.sqrt(len(kernel))
    assert abs(np.mean(kernel)) < 3 * error
    assert min(kernel) < 0
    assert np.mean(frechet) > 5.0


def test_too_few_or_not_finite_is_refused_not_a_number():
    good, bad = features(1, 8, 4), features(1, 8, 4)
    bad[3, 2] = np.nan
    for distance in (frechet_distance, kernel_distance):
        with pytest.raises(InputError, match="I1"):
            distance(good, good[:1])
        with pytest.raises(InputError, match="I2"):
            distance(good, bad)
        with pytest.raises(InputError, match="I2"):
            distance(good, good[:, :2])
