"""Promises of thresholds, conformal p-values, drift notes and of the squares that detectors look at."""

import numpy as np
import pytest
from scipy.stats import beta, norm

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import to_mode
from detection.one_class.inspection.calibration import calibrate, effective_size, needed, p_values
from detection.one_class.inspection.drift import compare
from detection.one_class.inspection.images import to_square


def test_threshold_is_the_conformal_quantile() -> None:
    scores = np.random.default_rng(0).permutation(99.0 * np.arange(1, 100))
    found = calibrate(scores, 0.05)
    assert found.value == 99 * 95  # k = ceil(100 * 0.95)
    assert found.expected == pytest.approx(0.05)
    assert (found.low, found.high) == pytest.approx((beta.ppf(0.025, 5, 95), beta.ppf(0.975, 5, 95)))
    assert (found.held_out, found.groups, found.keeps) == (99, 99, True)


def test_false_alarms_of_new_normals_are_those_promised() -> None:
    rng = np.random.default_rng(1)
    rates, inside = [], 0
    for _ in range(500):
        found = calibrate(rng.normal(size=60), 0.1)
        rates.append(norm.sf(found.value))
        inside += found.low <= rates[-1] <= found.high
    assert np.mean(rates) == pytest.approx(found.expected, abs=0.008)
    assert found.expected <= 0.1
    assert 0.92 <= inside / 500 <= 0.98


def test_interval_covers_the_rate_where_objects_have_several_photographs() -> None:
    rng = np.random.default_rng(2)
    groups = [str(number // 8) for number in range(240)]
    inside = alone = 0
    for _ in range(300):
        scores = (rng.normal(size=(30, 1)) * 0.8 + rng.normal(size=(30, 8)) * 0.6).ravel()
        by_object, by_photograph = calibrate(scores, 0.05, groups), calibrate(scores, 0.05)
        inside += by_object.low <= norm.sf(by_object.value) <= by_object.high
        alone += by_photograph.low <= norm.sf(by_photograph.value) <= by_photograph.high
        assert by_object.high > by_photograph.high
    assert inside / 300 >= 0.92
    assert alone / 300 < 0.9  # what taking photographs for objects would claim


def test_photographs_of_an_object_count_for_what_they_are_worth() -> None:
    groups = [str(number // 5) for number in range(100)]
    same = np.repeat(np.random.default_rng(3).normal(size=20), 5)
    assert effective_size(same, groups) == 20
    assert effective_size(np.random.default_rng(4).normal(size=100), groups) > 60
    assert effective_size(same, ["one"] * 100) == 1
    assert effective_size(np.zeros(100), groups) == 100


def test_too_few_objects_are_said_not_hidden() -> None:
    found = calibrate(np.repeat(np.arange(9.0), 10), 0.05, [str(number // 10) for number in range(90)])
    assert not found.keeps and found.expected == pytest.approx(0.1) and "too few objects" in found.words()


@pytest.mark.parametrize("count", [0, 1, 18])
def test_too_few_normals_are_refused_never_all_flagged(count: int) -> None:
    with pytest.raises(InputError, match=r"K5: .* 19 are needed"):
        calibrate(np.arange(float(count)), 0.05)
    assert needed(0.05) == 19 and calibrate(np.arange(19.0), 0.05).value == 18


def test_equal_scores_are_not_called_abnormal() -> None:
    found = calibrate(np.full(50, 2.5), 0.05)
    assert found.value == 2.5 and not (np.full(5, 2.5) > found.value).any()


def test_bad_scores_and_rates_are_refused() -> None:
    with pytest.raises(InputError, match="K5: 1 of 20 scores"):
        calibrate(np.array([*range(19), np.nan]), 0.1)
    for rate in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="false-alarm"):
            calibrate(np.arange(20.0), rate)


def test_p_values_count_the_held_out_scores_at_least_as_high() -> None:
    held_out = np.array([3.0, 1.0, 2.0, 2.0])
    assert p_values(held_out, np.array([0.0, 2.0, 2.5, 9.0])).tolist() == [1.0, 0.8, 0.4, 0.2]


def test_known_good_photographs_reveal_drift() -> None:
    rng = np.random.default_rng(5)
    held_out = rng.normal(size=150)
    threshold = calibrate(held_out, 0.05)
    false = sum(bool(compare(held_out, None, threshold, rng.normal(size=60), True).drifted) for _ in range(200))
    assert false <= 10
    moved = compare(held_out, None, threshold, rng.normal(0.8, 1, 60), True)
    assert moved.drifted and "score higher now" in moved.sentences[1] and "calibrated again" in moved.sentences[1]
    wider = compare(held_out, None, threshold, rng.normal(0, 3, 100), True)
    assert wider.drifted


def test_unlabelled_photographs_claim_no_more_than_scores_can_tell() -> None:
    rng = np.random.default_rng(6)
    held_out = rng.normal(size=150)
    threshold = calibrate(held_out, 0.05)
    defects = compare(held_out, None, threshold, np.r_[rng.normal(size=60), rng.normal(8, 1, 40)], False)
    assert defects.drifted is None and "cannot tell which" in defects.sentences[0]
    assert compare(held_out, None, threshold, rng.normal(-1, 1, 60), False).drifted
    assert compare(held_out, None, threshold, rng.normal(3, 1, 60), False).drifted
    assert compare(held_out, None, threshold, rng.normal(size=3), False).drifted is None


def test_squares_keep_the_whole_photograph_by_area() -> None:
    pixels = np.zeros((64, 32), np.uint8)
    pixels[::2] = 100
    square = to_square(pixels, 16)
    assert square.shape == (1, 16, 16) and (square == 50).all()
    assert to_square(np.zeros((20, 300, 3), np.uint8), 32).shape == (3, 32, 32)
    assert to_square(np.full((5, 7), 9, np.uint8), 32).tolist() == np.full((1, 32, 32), 9).tolist()


def test_flattening_takes_the_exposure_away() -> None:
    pixels = np.full((80, 80), 180, np.uint8)
    pixels[30:50, 30:50] = 90
    darker = (pixels * 0.7).astype(np.uint8)
    first, second = (to_square(item, 80, flatten=True).astype(int) for item in (pixels, darker))
    assert np.median(first) == 128 and first[0, 40, 40] == 64
    assert np.abs(first - second).max() <= 1
    coloured = to_square(np.stack([pixels, darker, darker], axis=2), 80, flatten=True)
    assert np.median(coloured, axis=(1, 2)).tolist() == [128, 128, 128]


def test_modes() -> None:
    colour = np.random.default_rng(7).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    assert to_mode(colour, "L").shape == (5, 6) and to_mode(colour, "RGB") is colour
    gray = to_mode(colour, "L")
    assert (to_mode(gray, "RGB") == gray[..., None]).all()
