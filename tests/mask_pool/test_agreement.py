"""Agreement against hand-worked numbers, the krippendorff package and SciPy; raters that do not go with the others."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from scipy import stats

from mask_pool.scoring.agreement import kendall_w, krippendorff_alpha
from mask_pool.scoring.outliers import OutlierRule, evaluate_raters

NAN = float("nan")


def noisy(seed: int, items: int = 40, raters: int = 6, noise: float = 1.0, step: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = rng.uniform(2, 8, items)[:, None] + rng.normal(0, noise, (items, raters))
    return np.round(np.clip(raw, 0, 10) / step) * step


def with_gaps(values: np.ndarray, seed: int, share: float) -> np.ndarray:
    gaps = values.copy()
    gaps[np.random.default_rng(seed).random(values.shape) < share] = NAN
    return gaps


def test_a_hand_worked_alpha() -> None:
    """Two raters, three masks: (1, 2), (3, 3), (5, -) of which the last cannot be paired; n = 4 values 1 2 3 3.

    D_o = (1/4) [2 (1-2)² / 1 + 0]                 = 1/2
    D_e = (1/12) sum over ordered pairs, 2 x (1 + 4 + 4 + 1 + 1 + 0) = 22/12
    alpha = 1 - (1/2) / (22/12) = 8/11
    Ordinal: mid-ranks 0.5, 1.5, 3, 3: D_o = 1/2, D_e = 2 (1 + 6.25 + 6.25 + 2.25 + 2.25) / 12 = 3; alpha = 5/6.
    """
    values = np.array([[1, 2], [3, 3], [5, NAN]])
    assert krippendorff_alpha(values).value == pytest.approx(8 / 11)
    assert krippendorff_alpha(values, "ordinal").value == pytest.approx(5 / 6)
    assert krippendorff_alpha(values).items == 2


@pytest.mark.parametrize("metric", ["interval", "ordinal"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_alpha_is_that_of_the_krippendorff_package(metric: str, share: float, seed: int) -> None:
    for values in (noisy(seed), noisy(seed, 20, 4, 4.0, 2.5), noisy(seed, 30, 10, 6.0, 0.001)):
        gaps = with_gaps(values, seed, share)
        theirs = krippendorff.alpha(reliability_data=gaps.T, level_of_measurement=metric)
        assert krippendorff_alpha(gaps, metric).value == pytest.approx(theirs, abs=1e-9)


def test_alpha_knows_its_ends() -> None:
    same = np.repeat(np.arange(8.0)[:, None], 3, axis=1)
    assert krippendorff_alpha(same).value == 1.0
    opposed = np.stack([np.arange(8.0), 7 - np.arange(8.0)], axis=1)
    assert krippendorff_alpha(opposed).value < -0.8
    chance = np.random.default_rng(0).uniform(0, 10, (600, 5))
    found = krippendorff_alpha(chance, rng=np.random.default_rng(1), resamples=300)
    assert abs(found.value) < 0.05 and found.low < 0 < found.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Ratings with known variances: alpha's expectation is the share of variance between masks, 9/13."""
    rng, hits = np.random.default_rng(4), 0
    for _ in range(60):
        values = rng.normal(0, 3, (40, 1)) + rng.normal(0, 2, (40, 4))
        found = krippendorff_alpha(values, rng=rng, resamples=200)
        assert found.low < found.value < found.high
        hits += found.low <= 9 / 13 <= found.high
    assert 50 <= hits <= 60
    once, again = (krippendorff_alpha(values, rng=np.random.default_rng(7)) for _ in range(2))
    assert once == again and krippendorff_alpha(values).low is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((4, 3), 5.0), "all grades are equal"),
        (np.zeros((0, 0)), "fewer than two raters"),
        (np.array([[1.0], [2], [3]]), "fewer than two raters"),
        (np.full((3, 3), NAN), "fewer than two raters"),
        (np.array([[1.0, 2, 3]]), "fewer than two masks"),
        (np.array([[1, NAN], [NAN, 2]]), "fewer than two masks"),
        (np.array([[1, NAN], [2, NAN]]), "fewer than two raters"),
    ],
)
def test_what_is_undefined_is_none_and_says_why(values: np.ndarray, reason: str) -> None:
    for metric in ("interval", "ordinal"):
        found = krippendorff_alpha(values, metric, rng=np.random.default_rng(0))
        assert (found.value, found.low, found.high) == (None, None, None) and found.reason.startswith(reason)
    assert kendall_w(values).w is None and kendall_w(values).p is None and kendall_w(values).reason


def test_few_masks_have_an_alpha_but_no_interval() -> None:
    found = krippendorff_alpha(np.array([[1.0, 2], [5, 6], [9, 8]]), rng=np.random.default_rng(0))
    assert found.value > 0.9 and found.low is None and found.high is None and found.reason is None


def test_a_hand_worked_w_without_and_with_ties() -> None:
    """Three raters rank four masks 1234, 1243, 2134: sums 4 5 10 11, mean 7.5, S = 12.25 + 6.25 + 6.25 + 12.25 = 37,
    W = 12 x 37 / (9 x 60) = 0.8222; chi² = 3 x 3 x W = 7.4.
    With ranks 1.5 1.5 3 4 for the third: sums 3.5 5.5 10 11, S = 16 + 4 + 6.25 + 12.25 = 38.5, T = 2³ - 2 = 6,
    W = 12 x 38.5 / (9 x 60 - 3 x 6) = 0.8851.
    """
    plain = np.array([[1, 1, 2], [2, 2, 1], [3, 4, 3], [4, 3, 4.0]])
    assert kendall_w(plain).w == pytest.approx(12 * 37 / 540) and kendall_w(plain).chi2 == pytest.approx(7.4)
    tied = np.array([[1, 1, 5], [2, 2, 5], [3, 4, 6], [4, 3, 7.0]])
    assert kendall_w(tied).w == pytest.approx(12 * 38.5 / 522)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_w_is_friedmans_test_in_another_scale(seed: int) -> None:
    values = noisy(seed, 12, 5, 2.0, 2.5)
    theirs = stats.friedmanchisquare(*values)
    assert kendall_w(values).chi2 == pytest.approx(theirs.statistic) and kendall_w(values).p == pytest.approx(
        theirs.pvalue
    )
    gaps = np.vstack([values, [[NAN, 1, 2, 3, 4]]])
    assert kendall_w(gaps) == kendall_w(values) and kendall_w(gaps).items == 12
    assert kendall_w(np.hstack([values, np.full((12, 1), NAN)])) == kendall_w(values), "a rater without grades is none"


def flags_of(values: np.ndarray) -> dict[str, str]:
    names = [f"r{index}" for index in range(values.shape[1])]
    return {one.name: one.flag for one in evaluate_raters(values, names, OutlierRule()) if one.flag}


@pytest.mark.parametrize("seed", range(8))
def test_good_raters_are_not_flagged(seed: int) -> None:
    assert flags_of(noisy(seed)) == {} and flags_of(with_gaps(noisy(seed, 60), seed, 0.4)) == {}


@pytest.mark.parametrize("seed", range(8))
def test_each_kind_of_bad_rater_is_flagged_as_such(seed: int) -> None:
    rng, values = np.random.default_rng(seed + 100), noisy(seed, 60, 10)
    values[:, 1] = 7
    values[:, 3] = 10 - values[:, 0]
    values[:, 5] = rng.integers(0, 11, 60)
    values[:, 8] = np.clip(values[:, 8] - 3, 0, 10)
    assert flags_of(values) == {"r1": "constant", "r3": "inverted", "r5": "careless", "r8": "harsh"}


@pytest.mark.parametrize("seed", range(5))
def test_one_inverted_of_three_does_not_take_the_others_along(seed: int) -> None:
    """The mean of a good and an inverted rater is flat: without starting anew, the good ones would look careless."""
    values = noisy(seed, 60, 3, 0.5)
    values[:, 2] = 10 - values[:, 2]
    assert flags_of(values) == {"r2": "inverted"}
    reports = evaluate_raters(values, ["a", "b", "c"], OutlierRule())
    assert min(one.correlation for one in reports[:2]) > 0.8 and reports[2].correlation < -0.8


def test_a_panel_that_disagrees_as_a_whole_is_not_thrown_out() -> None:
    values = np.random.default_rng(3).uniform(0, 10, (50, 8))
    flags = flags_of(values)
    assert not set(flags.values()) & {"careless", "inverted", "constant"}


def test_raters_that_cannot_be_rated_say_why() -> None:
    """Two raters, one rater, no grade, equal grades, few shared masks: no flag, no NaN, a reason."""
    values = noisy(1, 20, 4)
    values[:, 1] = NAN
    values[3:, 2] = NAN
    one = evaluate_raters(values, list("abcd"), OutlierRule())
    assert [report.flag for report in one] == [None] * 4
    assert one[1].reason == "gave no grade" and one[1].mean is None and one[1].correlation is None
    assert one[2].reason == "shares 3 masks with others, needs 5" and one[2].graded == 3
    opposed = np.stack([np.arange(10.0), 9 - np.arange(10.0)], axis=1)
    assert flags_of(opposed) == {}, "of two nobody can say who is wrong"
    assert flags_of(np.full((10, 4), 6.0)) == {}, "where all agree, a constant rater is no outlier"
    assert evaluate_raters(np.full((10, 4), 6.0), list("abcd"), OutlierRule())[0].reason == "all grades are equal"
    alone = evaluate_raters(noisy(1, 20, 1), ["a"], OutlierRule())[0]
    assert alone.flag is None and alone.bias is None and alone.reason == "shares 0 masks with others, needs 5"
    assert evaluate_raters(np.zeros((0, 0)), [], OutlierRule()) == ()
    constant = np.stack([np.arange(10.0), np.full(10, 5.0)], axis=1)
    assert flags_of(constant) == {"r1": "constant"}
