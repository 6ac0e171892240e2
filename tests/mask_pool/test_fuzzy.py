"""Fuzzy comprehensive evaluation against hand-worked numbers, scikit-fuzzy, and what it promises for any grades."""

from __future__ import annotations

import numpy as np
import pytest
import skfuzzy
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_pool.scoring.fuzzy import Grade, Scale, assess, compose, even_scale, membership_matrix, weighted_mean

FIVE = even_scale()
UNEVEN = Scale((Grade("bad", (0, 0, 2, 5)), Grade("so so", (1, 3, 4, 8)), Grade("fine", (4, 7, 10, 10))))
NAN = float("nan")

cells = st.one_of(st.just(NAN), st.floats(0, 10, allow_nan=False), st.sampled_from([0.0, 2.5, 5.0, 7.5, 10.0]))


@st.composite
def graded(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grades (R, C) with at least one given, rater weights (R,), criterion weights (C,)."""
    raters, criteria = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    grades = np.array(draw(st.lists(cells, min_size=raters * criteria, max_size=raters * criteria)))
    if np.isnan(grades).all():
        grades[0] = draw(st.floats(0, 10))
    weights = [np.array(draw(st.lists(st.floats(0.1, 5), min_size=size, max_size=size))) for size in (raters, criteria)]
    return grades.reshape(raters, criteria), weights[0], weights[1]


def test_a_hand_worked_evaluation() -> None:
    """Three raters, two criteria with weights 3 : 1, grades on 0, 2.5 .. 10 and one between.

    shape: 7.5, 7.5, 10  ->  good 2/3, excellent 1/3
    place: 5, 6, -       ->  medium (1 + 0.6)/2 = 0.8, good (0 + 0.4)/2 = 0.2      [6 lies 0.4 of the way from 5 to 7.5]
    b      = 3/4 shape + 1/4 place = medium 0.2, good 0.5 + 0.05 = 0.55, excellent 0.25
    peaks:     0.2 x 5 + 0.55 x 7.5 + 0.25 x 10            = 7.625
    centroids: 0.2 x 5 + 0.55 x 7.5 + 0.25 x (10 - 2.5/3)  = 7.41666...   [a right triangle's lies at a third]
    mean:      3/4 x 25/3 + 1/4 x 11/2                     = 7.625
    """
    grades = np.array([[7.5, 5], [7.5, 6], [10, NAN]])
    matrix = membership_matrix(grades, np.ones(3), FIVE)
    np.testing.assert_allclose(matrix, [[0, 0, 0, 2 / 3, 1 / 3], [0, 0, 0.8, 0.2, 0]], atol=1e-12)
    weights = np.array([3.0, 1.0])
    np.testing.assert_allclose(compose(matrix, weights, "weighted_mean"), [0, 0, 0.2, 0.55, 0.25], atol=1e-12)
    found = {how: assess(grades, FIVE, criterion_weights=weights, defuzzify=how) for how in ("peak", "centroid")}
    assert found["peak"].score == pytest.approx(7.625, abs=1e-8)
    assert found["centroid"].score == pytest.approx(7.625 - 0.25 * 2.5 / 3, abs=1e-8)
    assert found["peak"].grade == "good" and found["peak"].degrees == pytest.approx(
        {"poor": 0, "fair": 0, "medium": 0.2, "good": 0.55, "excellent": 0.25}, abs=1e-8
    )
    assert assess(grades, FIVE, method="mean", criterion_weights=weights).score == pytest.approx(7.625, abs=1e-8)


def test_a_hand_worked_max_min() -> None:
    """The same matrix: min(1, shape) and min(1/3, place): medium 1/3, good max(2/3, 0.2), excellent 1/3; sum 4/3."""
    matrix = np.array([[0, 0, 0, 2 / 3, 1 / 3], [0, 0, 0.8, 0.2, 0]])
    joined = compose(matrix, np.array([3.0, 1.0]), "max_min")
    np.testing.assert_allclose(joined, [0, 0, 0.25, 0.5, 0.25], atol=1e-12)
    assert joined @ FIVE.values("peak") == pytest.approx(7.5)


def test_max_min_can_fall_where_a_grade_is_raised() -> None:
    """Both criteria split between poor and excellent; one rater's first grade goes up from poor to fair."""
    before = np.array([[0, 0], [10, 10.0]])
    after = np.array([[2.5, 0], [10, 10.0]])
    low, high = (assess(grades, FIVE, composition="max_min", defuzzify="peak").score for grades in (before, after))
    assert (low, high) == (pytest.approx(5.0), pytest.approx((2.5 + 10) * 0.5 / 1.5))
    assert high < low, "which is why it is not the default"


def test_raters_weights_are_shares() -> None:
    grades = np.array([[10.0], [0.0]])
    assert assess(grades, FIVE, rater_weights=np.array([3.0, 1.0]), defuzzify="peak").score == 7.5
    assert assess(grades, FIVE, rater_weights=np.array([0.6, 0.2]), method="mean").score == 7.5
    assert assess(grades, FIVE, rater_weights=np.array([1.0, 0.0]), method="mean").score == 10


@pytest.mark.parametrize("scale", [FIVE, UNEVEN, even_scale(("no", "yes"))])
def test_degrees_and_centroids_are_scikit_fuzzys(scale: Scale) -> None:
    x = np.linspace(0, 10, 10001)
    ours = np.stack([grade.degree(x) for grade in scale.grades])
    for own, grade in zip(ours, scale.grades, strict=True):
        theirs = skfuzzy.trapmf(x, list(grade.corners))
        np.testing.assert_allclose(own, theirs, atol=1e-12)
        assert grade.centroid == pytest.approx(skfuzzy.defuzz(x, theirs, "centroid"), abs=1e-3)
    np.testing.assert_allclose(scale.degrees(x).sum(axis=-1), 1)


def test_five_even_grades_are_what_they_are_said_to_be() -> None:
    assert [grade.peak for grade in FIVE.grades] == [0, 2.5, 5, 7.5, 10]
    np.testing.assert_allclose(FIVE.values("centroid"), [2.5 / 3, 2.5, 5, 7.5, 10 - 2.5 / 3])
    assert [FIVE.value_of(word) for word in (" Good", "EXCELLENT", "great")] == [7.5, 10.0, None]
    assert [FIVE.names[FIVE.index_of(value)] for value in (0, 1.2, 1.25, 6.2, 6.25, 10)] == [
        "poor",
        "poor",
        "fair",
        "medium",
        "good",
        "excellent",
    ]


@given(
    graded(),
    st.sampled_from([FIVE, UNEVEN]),
    st.sampled_from(["fuzzy", "mean"]),
    st.sampled_from(["centroid", "peak"]),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_raising_one_grade_never_lowers_the_score(
    given: tuple, scale: Scale, method: str, how: str, data: st.DataObject
) -> None:
    grades, raters, criteria = given
    options = {"method": method, "defuzzify": how, "rater_weights": raters, "criterion_weights": criteria}
    places = np.argwhere(~np.isnan(grades))
    row, column = places[data.draw(st.integers(0, len(places) - 1))]
    raised = grades.copy()
    raised[row, column] = data.draw(st.floats(grades[row, column], 10))
    low, high = (assess(one, scale, **options).score for one in (grades, raised))
    assert 0 <= low <= high + 1e-8 and high <= 10


@given(st.lists(st.lists(st.floats(0, 10), min_size=4, max_size=4), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_scale_that_is_taken_is_monotone(inner: list[list[float]]) -> None:
    """Corners ordered within and between grades: the further grade's share only grows with the value."""
    corners = np.sort(np.sort(np.array([[0, 0, 0, 5], *inner, [5, 10, 10, 10]], float), axis=1), axis=0)
    try:
        scale = Scale(tuple(Grade(str(index), tuple(row)) for index, row in enumerate(corners.tolist())))
    except ValueError:
        return  # two grades with one peak, or a gap: refused, which another test asks for
    for how in ("peak", "centroid"):
        assert np.diff(scale.degrees(np.linspace(0, 10, 801)) @ scale.values(how)).min() >= -1e-9


@given(graded(), st.sampled_from(["weighted_mean", "max_min"]), st.randoms())
@settings(max_examples=200, deadline=None)
def test_the_order_of_raters_and_the_size_of_weights_say_nothing(given: tuple, composition: str, chance) -> None:
    grades, raters, criteria = given
    order = list(range(len(raters)))
    chance.shuffle(order)
    first = assess(grades, FIVE, rater_weights=raters, criterion_weights=criteria, composition=composition)
    other = assess(
        grades[order], FIVE, rater_weights=raters[order] * 7, criterion_weights=criteria / 3, composition=composition
    )
    assert 0 <= first.score <= 10 and first.score == pytest.approx(other.score, abs=1e-8)
    assert sum(first.degrees.values()) == pytest.approx(1, abs=1e-7)
    assert first.degrees == pytest.approx(other.degrees, abs=1e-8)


@given(graded())
@settings(max_examples=100, deadline=None)
def test_even_triangles_with_their_peaks_are_the_mean(given: tuple) -> None:
    grades, raters, criteria = given
    options = {"rater_weights": raters, "criterion_weights": criteria}
    peak = assess(grades, FIVE, defuzzify="peak", **options).score
    assert peak == pytest.approx(assess(grades, FIVE, method="mean", **options).score, abs=1e-8)


def test_missing_cells_are_left_out_and_nothing_is_none() -> None:
    """A criterion that nobody graded lends its weight to the others; a mask that nobody graded has no score."""
    grades = np.array([[7.0, NAN], [3.0, NAN], [NAN, NAN]])
    for method in ("fuzzy", "mean"):
        assert assess(grades, FIVE, method=method, criterion_weights=np.array([0.1, 0.9])).score == pytest.approx(5)
    nothing = assess(np.full((3, 2), NAN), FIVE)
    assert (nothing.score, nothing.degrees, nothing.grade) == (None, None, None)
    assert assess(np.zeros((0, 2)), FIVE).score is None
    assert np.isnan(weighted_mean(np.array([NAN, NAN]), np.ones(2)))
    only = assess(np.array([[10.0]]), FIVE)
    assert only.grade == "excellent" and only.score == pytest.approx(10 - 2.5 / 3, abs=1e-8)


@pytest.mark.parametrize(
    ("grades", "fault"),
    [
        ([("a", (0, 0, 5, 10))], "at least two"),
        ([("a", (0, 0, 5, 5)), ("A", (5, 5, 10, 10))], "different names"),
        ([("a", (0, 3, 2, 5)), ("b", (5, 5, 10, 10))], "ascending"),
        ([("a", (0, 0, 5, 6)), ("b", (5, 5, 10, 11))], "leave"),
        ([("a", (0, 0, 4, 4)), ("b", (5, 5, 10, 10))], "value 4.5 belongs to no grade"),
        ([("a", (0, 0, 5, 5)), ("b", (5, 6, 9, 9))], "value 10 belongs to no grade"),
        ([("a", (0, 0, 5, 9)), ("b", (0, 6, 10, 10)), ("c", (1, 5, 10, 10))], "b must lie below c"),
        ([("a", (0, 0, 0, NAN)), ("b", (5, 6, 10, 10))], "leave|ascending"),
    ],
)
def test_a_scale_that_cannot_grade_is_refused(grades: list, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Scale(tuple(Grade(*one) for one in grades))
