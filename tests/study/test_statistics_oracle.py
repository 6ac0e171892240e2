"""Oracles: a truly better arm must be called better, equal arms must not, and intervals must hold the truth."""

import pytest
from simulated_study import simulated_study

from anomaly_gan.study.statistics import summarise_study
from anomaly_gan.study.statistics.comparisons import Comparison, by_arm, compare
from anomaly_gan.study.statistics.resample import draw_cells
from anomaly_gan.study.statistics.summary import goal

STUDIES = 40
SKILLS = {"none": 0.0, "geometric": 0.0, "anomaly_gan": 1.0}
TRUE_DIFFERENCE = 0.1835
"""AP at IoU 0.5 that one unit of skill is worth: the mean of 1,200 simulated studies, standard error 0.0011."""


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Comparison, Comparison]]:
    """Per simulated study (4 folds, 3 seeds): the better arm, and the equal one, against ``none``."""
    result = []
    for study in range(STUDIES):
        arms = by_arm(draw_cells(simulated_study(SKILLS, study), 200, seed=0))
        result.append(tuple(compare(arms, arm, "none", "none", seed=0) for arm in ("anomaly_gan", "geometric")))
    return result


def test_a_truly_better_arm_is_called_better(verdicts: list[tuple[Comparison, Comparison]]) -> None:
    words = [better.made.verdict for better, _ in verdicts]
    assert words.count("better") >= 0.85 * STUDIES
    assert "worse" not in words


def test_equal_arms_are_rarely_told_apart(verdicts: list[tuple[Comparison, Comparison]]) -> None:
    """5 % is the promise; up to 4 of 40 leaves room for chance (a true rate of 15 % would pass in 1 of 8 cases)."""
    assert sum(equal.made.verdict != "no difference shown" for _, equal in verdicts) <= 0.1 * STUDIES


def test_intervals_hold_the_truth(verdicts: list[tuple[Comparison, Comparison]]) -> None:
    held = [
        row.made.interval.low <= truth <= row.made.interval.high
        for pair in verdicts
        for row, truth in zip(pair, (TRUE_DIFFERENCE, 0.0), strict=True)
    ]
    assert 0.88 <= sum(held) / len(held) <= 0.995  # not all: intervals that hold everything say nothing


def test_intervals_are_no_wider_than_the_results_spread(verdicts: list[tuple[Comparison, Comparison]]) -> None:
    """The half-width is about 1.96 standard deviations of the difference from study to study."""
    means = [better.made.interval.mean for better, _ in verdicts]
    centre = sum(means) / STUDIES
    spread = (sum((value - centre) ** 2 for value in means) / (STUDIES - 1)) ** 0.5
    width = sum(of.high - of.low for of in (better.made.interval for better, _ in verdicts)) / STUDIES
    assert 0.75 <= width / (2 * 1.96 * spread) <= 1.5


def test_the_whole_study_names_the_winner() -> None:
    skills = {"none": 0.0, "copy_paste": 0.2, "geometric": 0.0, "anomaly_gan": 1.6}
    summary = summarise_study({"main": simulated_study(skills, 7)}, seed=3, draws=1000)
    part = summary.detectors["mask_rcnn"]
    rows = {(row.arm, row.kind): row for row in part.main.comparisons}
    assert rows["anomaly_gan", "none"].verdict_holm == "better"
    assert rows["anomaly_gan", "best_other"].made.verdict == "better"
    assert rows["anomaly_gan", "best_other"].against == "copy_paste"
    assert rows["geometric", "none"].made.verdict == "no difference shown"
    reached = goal(part.first)
    assert reached is not None and reached.reached
    assert any(text.startswith("anomaly_gan: better than none: AP@0.5 +") for text in summary.sentences)


def test_a_single_seed_is_said_to_carry_less() -> None:
    arms = by_arm(draw_cells(simulated_study(SKILLS, 1, seeds=(0,)), 200, seed=0))
    row = compare(arms, "anomaly_gan", "none", "none", seed=0)
    assert row is not None and row.made.single_seed
    assert row.made.over_seeds.low is None and row.made.interval.low is not None
    assert "the interval knows nothing of training noise" in row.sentence()
