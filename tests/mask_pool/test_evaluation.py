"""The one entry ``evaluate``: scores, approval, the choice with its reasons, summaries; and the stage's experts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anomaly_gan.core.config import build, dump_yaml
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from mask_pool.elements.expert import gather_experts
from mask_pool.scoring.config import EvaluateConfig, mean_of
from mask_pool.scoring.evaluate import evaluate
from mask_pool.scoring.ratings import RatedMask, Ratings, content_hash
from mask_pool.scoring.score_sheet import write_ratings
from mask_pool.scoring.selection import Candidate, select
from mask_pool.scoring.text import describe

NAN = float("nan")
Draw = Callable[..., None]


def ratings(grades: object, labels: str | None = None, criteria: tuple[str, ...] = ("overall",)) -> Ratings:
    """Masks 0.json, 1.json ...; raters r0, r1 ...; grades (N, R) or (N, R, C)."""
    array = np.array(grades, np.float64)
    array = array[:, :, None] if array.ndim == 2 else array
    masks = tuple(
        RatedMask(f"{index:02d}.json", 0, labels[index] if labels else "scrap") for index in range(len(array))
    )
    return Ratings(masks, tuple(f"r{index}" for index in range(array.shape[1])), criteria, array)


def config(**given: object) -> EvaluateConfig:
    return EvaluateConfig(**{"method": "mean", "bootstrap": 50, **given})


def fates(found: object) -> dict[str, str]:
    return {choice.mask.file[:2]: choice.reason for choice in found.choices}


def test_the_best_tenth_that_all_approve_is_kept() -> None:
    """Twenty masks, so two at most: 03 has the best mean, but one rater of three does not approve it."""
    grades = np.full((20, 3), 4.0)
    grades[3], grades[5], grades[9], grades[11] = (10, 10, 4.5), (8, 7, 7), (7, 7, 8), (6, 5, 5)
    found = evaluate(ratings(grades), config())
    assert [mask.file for mask in found.kept] == ["05.json", "09.json"], "of equal means the first file"
    assert {key: reason for key, reason in fates(found).items() if reason != "not_approved"} == {
        "05": "approved",
        "09": "approved",
        "11": "below_top",
    }
    assert next(one.detail for one in found.choices if one.mask.file == "03.json") == "2 of 3 raters approve"
    two_thirds = evaluate(ratings(grades), config(unanimous=0.66))
    assert [mask.file for mask in two_thirds.kept] == ["03.json", "05.json"]
    assert [mask.file for mask in evaluate(ratings(grades), config(approval="good")).kept] == ["05.json", "09.json"]
    assert [mask.file for mask in evaluate(ratings(grades), config(approval=9.0)).kept] == ["03.json"], "at_least"
    assert evaluate(ratings(grades), config(approval=9.0, at_least=0)).kept == ()


def test_a_word_approves_all_values_that_belong_to_it_most() -> None:
    """``good`` begins half way between the peaks of medium and good, at 6.25."""
    for grade, approving in ((6.2, 0), (6.25, 1), (9.9, 1)):
        assert evaluate(ratings([[grade]]), config(approval="GOOD ")).masks[0].approving == approving


def test_each_category_has_its_own_quota_and_at_least_one() -> None:
    grades = [[9, 9]] * 11 + [[3, 4], [2, 9], [NAN, NAN]]
    found = evaluate(ratings(grades, "a" * 11 + "bbb"), config(top=0.2))
    assert [mask.file for mask in found.kept] == ["00.json", "01.json", "12.json"]
    fate = fates(found)
    assert (fate["12"], fate["11"], fate["13"], fate["02"]) == ("at_least", "not_approved", "unrated", "below_top")
    assert found.summary()["categories"] == {
        "a": {"masks": 11, "kept": 2, "kept_without_approval": 0, "left_out": {"below_top": 9}},
        "b": {"masks": 3, "kept": 1, "kept_without_approval": 1, "left_out": {"not_approved": 1, "unrated": 1}},
    }


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0]),
        ({"least_raters": 3}, [2]),
        ({"top": 1.0}, [0, 2]),
        ({"top": 1.0, "unanimous": 0.0}, [0, 1, 2]),
        ({"at_least": 3}, [0, 2, 1]),
        ({"least_raters": 9}, [0]),
        ({"least_raters": 9, "at_least": 0}, []),
    ],
)
def test_every_mask_is_kept_or_left_out_for_a_reason(options: dict, kept: list[int]) -> None:
    """0: score 8 by two, both approve; 1: score 7, two of four approve; 2: score 6, all three approve; 3: unrated."""
    masks = [RatedMask("a", index, "x") for index in range(4)]
    candidates = [
        Candidate(mask, *rest)
        for mask, rest in zip(masks, [(8.0, 2, 2), (7.0, 4, 2), (6.0, 3, 3), (None, 0, 0)], strict=True)
    ]
    choices = select(candidates, **{"top": 0.3, "unanimous": 1.0, **options})
    assert [choice.mask.shape for choice in choices if choice.kept] == kept
    assert sorted(choice.mask.shape for choice in choices) == [0, 1, 2, 3] and all(one.detail for one in choices)
    assert select(candidates[::-1], **{"top": 0.3, "unanimous": 1.0, **options}) == choices


def test_criteria_weights_decide_and_missing_criteria_lend_theirs() -> None:
    grades = np.array([[[9, 1]], [[1, 9]], [[NAN, 6]]])
    for weights, scores in (({}, [5, 5, 6]), ({"shape": 3}, [7, 3, 6]), ({"place": 0}, [9, 1, None])):
        found = evaluate(ratings(grades, criteria=("shape", "place")), config(weights=weights))
        assert [one.verdict.score for one in found.masks] == scores, weights
    assert found.masks[0].raters == {"r0": 9.0} and found.masks[2].raters == {}


def test_a_careless_rater_is_named_always_and_dropped_on_request() -> None:
    rng = np.random.default_rng(2)
    grades = np.clip(rng.uniform(2, 9, (50, 1)) + rng.normal(0, 0.5, (50, 6)), 0, 10)
    grades[:, 4] = rng.uniform(0, 10, 50)
    clean = evaluate(ratings(grades[:, [0, 1, 2, 3, 5]]), config())
    for drop in (False, True):
        found = evaluate(ratings(grades), config(drop_outliers=drop))
        assert found.summary()["raters"]["flagged"]["r4"]["flag"] == "careless"
        assert found.dropped == (("r4",) if drop else ())
        assert ([one.verdict.score for one in found.masks] == [one.verdict.score for one in clean.masks]) == drop
        assert ("r4" in found.masks[0].raters) != drop
    assert found.agreement.overall["interval"].value == clean.agreement.overall["interval"].value
    unheard = evaluate(ratings(grades), config(rater_weights={"r4": 0}))
    assert [one.verdict.score for one in unheard.masks] == [one.verdict.score for one in clean.masks]


@pytest.mark.parametrize(
    "grades",
    [
        np.zeros((0, 0, 0)),
        np.full((3, 0, 1), NAN),
        np.full((3, 2, 2), NAN),
        np.full((3, 4, 2), 5.0),
        [[[6.0]]],
        [[[1.0, NAN]], [[NAN, 2]]],
        np.zeros((1, 12, 1)),
        np.full((8, 3, 1), 10.0),
    ],
)
@pytest.mark.parametrize("method", ["fuzzy", "mean"])
def test_degenerate_ratings_have_a_result_without_nan(grades: object, method: str) -> None:
    array = np.array(grades, float)
    found = evaluate(ratings(array, criteria=("a", "b")[: array.shape[2]]), EvaluateConfig(method=method, bootstrap=20))
    text = json.dumps([found.summary(), found.table()], allow_nan=False)
    assert "NaN" not in text and "nan" not in describe(found).split()
    assert len(found.choices) == len(array)


def test_the_same_ratings_give_the_same_summary_and_seeds_change_intervals_alone() -> None:
    given = ratings(np.random.default_rng(5).uniform(0, 10, (30, 4)))
    one, two, other = (evaluate(given, config(), seed).summary() for seed in (1, 1, 2))
    assert one == two and one != other
    one["agreement"] = other["agreement"] = None
    assert one == other


def test_the_description_shows_what_counts_and_no_control_characters() -> None:
    grades = np.random.default_rng(1).uniform(4, 10, (30, 4))
    grades[:, 2] = 7
    made = ratings(grades)
    nasty = Ratings(made.masks, ("ann\x1b[2J", *made.raters[1:]), made.criteria, made.grades)
    text = describe(evaluate(nasty, config(drop_outliers=True)), most=2)
    assert "\x1b" not in text and r"ann\x1b[2J" in text and "CONSTANT, not heard: gave 7 to all 30 masks" in text
    for part in ("Krippendorff's alpha, interval", "Kendall's W", "left out", "approve"):
        assert part in text
    assert max(map(len, text.splitlines())) < 130


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"top": 0}, "top: "),
        ({"method": "median"}, "method: "),
        ({"unanimous": 1.5}, "unanimous: "),
        ({"approval": "goot"}, r"approval: no grade 'goot' \(did you mean 'good'\?\)"),
        ({"approval": 11}, "approval"),
        ({"grades": ["only"]}, "grades: needs at least two"),
        ({"grades": {"a": [0, 5], "b": [5, 10]}}, "needs 3 corners"),
        ({"grades": {"a": [0, 0, 3], "b": [4, 10, 10]}, "approval": "b"}, "grades: the value 3 belongs to no grade"),
        ({"weights": {"shape": -1}}, r"weights.shape: "),
        ({"weights": {"shape": float("inf")}}, "weights.shape"),
        ({"aproval": 5}, "did you mean 'approval'"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(given: dict, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        build(EvaluateConfig, given, "evaluate")


def test_weights_for_unknown_names_and_a_panel_without_anybody_are_refused() -> None:
    given = ratings([[5, 6], [7, 8]])
    for options, fault in (
        ({"weights": {"overal": 2}}, "no 'overal' .did you mean 'overall'"),
        ({"rater_weights": {"r7": 2}}, "no 'r7'"),
        ({"weights": {"overall": 0}}, "every criterion"),
        ({"rater_weights": {"r0": 0, "r1": 0}}, "nobody is heard"),
    ):
        with pytest.raises(ConfigError, match=fault):
            evaluate(given, config(**options))


def test_grades_by_their_corners_come_back_from_yaml_in_order() -> None:
    """Resolved configurations sort their keys; the order of grades is that of their corners."""
    made = EvaluateConfig(grades={"so so": (0, 5, 10), "awful": (0, 0, 5), "fine": (5, 8, 10, 10)}, approval="fine")
    assert made.scale().names == ("awful", "so so", "fine") and "fine" in dump_yaml(made)


def test_the_configuration_does_not_load_torch() -> None:
    code = "import sys, mask_pool.scoring.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_experts_are_chosen_by_the_given_evaluation(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw
) -> None:
    """Shape 0 has the best mean, but a rater is against it; every element carries its raters' means."""
    draw("a.json", "normal_0.png", [("scrap", scene.square(5 + 30 * k, 10, 9)) for k in range(3)])
    grades = np.array([[[10, 10], [10, 10], [4, 5]], [[8, 8], [7, NAN], [8, 6]], [[5, 5], [6, 6], [5, 6]]])
    given = Ratings(
        tuple(RatedMask("a.json", k, "scrap") for k in range(3)), ("ann", "bo", "cy"), ("place", "shape"), grades
    )
    scores = experts / "long.csv"
    write_ratings(scores, given)
    data = load_dataset(ingest)
    plain = gather_experts(experts, scores, data, evaluate=mean_of(0.4))
    assert [one.parent for one in plain.kept["scrap"]] == ["a.json#0"]
    found = gather_experts(experts, scores, data, evaluate=config(top=0.7, weights={"shape": 0.5}))
    assert [one.parent for one in found.kept["scrap"]] == ["a.json#1", "a.json#2"]
    assert found.kept["scrap"][0].raters == {"ann": 8.0, "bo": 7.0, "cy": pytest.approx((8 + 0.5 * 6) / 1.5)}
    assert found.evaluation["categories"]["scrap"]["left_out"] == {"not_approved": 1}
    assert [one.parent for one in found.marks["scrap"]] == ["a.json#0", "a.json#1", "a.json#2"]
    assert plain.evaluation["method"] == "mean"
    assert gather_experts(experts, None, data, evaluate=mean_of(0.4)).evaluation is None
    json.dumps(found.evaluation, allow_nan=False)


def test_a_rating_stays_tied_to_what_was_seen(scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw) -> None:
    """Ratings of pool items in the same sheet are no concern of the drawings."""
    draw("a.json", "normal_0.png", [("scrap", scene.square(5, 10, 9))])
    data, scores = load_dataset(ingest), experts / "long.csv"
    now = gather_experts(experts, None, data, evaluate=mean_of(1.0)).kept["scrap"][0].full_mask()
    photograph = next(image for image in data.images if image.file_name == "normal_0.png")
    seen = content_hash(photograph.sha256, "scrap", now)
    pool = RatedMask("pool/scrap/000001.png", 0, "scrap", "aa")
    for sha256 in (seen, "", seen[::-1]):
        write_ratings(
            scores,
            Ratings(
                (RatedMask("a.json", 0, "scrap", sha256), pool), ("ann",), ("overall",), np.array([[[7.0]], [[1.0]]])
            ),
        )
        if sha256 != seen[::-1]:
            assert gather_experts(experts, scores, data, evaluate=mean_of(1.0)).kept["scrap"][0].score == 7.0
    with pytest.raises(InputError, match=r"long\.csv:2:sha256: F7: a\.json shape 0 or its photograph was changed"):
        gather_experts(experts, scores, data, evaluate=mean_of(1.0))
    write_ratings(
        scores,
        Ratings(
            (RatedMask("a.json", 0, "scrap", seen), RatedMask("a.json", 0, "scrap", "ff")),
            ("ann",),
            ("overall",),
            np.array([[[3.0]], [[9.0]]]),
        ),
    )
    again = gather_experts(experts, scores, data, evaluate=mean_of(1.0))
    assert (again.kept["scrap"][0].score, again.rejects) == (3.0, {"outdated_ratings": 1}), "it was rated again"


def test_the_plain_setting_is_todays_rule() -> None:
    """The mean, the best share, no approval, no interval."""
    grades = np.random.default_rng(9).uniform(0, 10, (25, 3)).round(1)
    found = evaluate(ratings(grades), mean_of(0.1))
    best = sorted(range(25), key=lambda index: (-round(grades[index].mean(), 9), index))[:2]
    assert [mask.file for mask in found.kept] == [f"{index:02d}.json" for index in best]
    assert found.agreement.overall["interval"].low is None
