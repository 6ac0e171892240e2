"""The statistics of a study against numbers worked out by hand and against independent implementations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plain_ap import weighted_ap50
from simulated_study import CATEGORIES, cell_of, simulated_study

from anomaly_gan.core.config import build
from anomaly_gan.core.errors import InputError
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.study.statistics import (
    COMPARISON_COLUMNS,
    GateFigures,
    StudyCell,
    StudySummary,
    comparison_rows,
    gate_rows,
    summarise_study,
    write_plots,
)
from anomaly_gan.study.statistics.amount import Amount, amount_of
from anomaly_gan.study.statistics.comparisons import best_rival, by_arm, compare
from anomaly_gan.study.statistics.estimate import Term, estimate, seeds_interval
from anomaly_gan.study.statistics.gates import (
    Correlation,
    GateRow,
    GateStudy,
)
from anomaly_gan.study.statistics.resample import draw_cells, drawn_counts
from anomaly_gan.study.statistics.verdicts import holm, objects_needed, p_value
from detection.evaluation.statistics import Matches, resampled_ap50

SKILLS = {"none": 0.0, "copy_paste": 0.3, "anomaly_gan": 0.6}


def at(arm: str, fold: int, seed: int, ap: float, detector: str = "mask_rcnn") -> StudyCell:
    """A cell of a given AP with eleven objects, all alike: 1 defect each, found where ``ap`` says, no false alarms."""
    found = round(ap * 10)
    matches = {"crack": Matches(np.ones(found, bool), np.arange(found), np.r_[np.ones(10, int), 0])}
    cell = cell_of(arm, fold, seed, matches, tuple(f"{fold}-{unit}" for unit in range(11)), detector)
    return StudyCell(arm, detector, fold, seed, replace(cell.figures, map50=ap), cell.objects, cell.matches)


def test_holm_by_hand() -> None:
    """0.01 x 3; 0.03 x 2 = 0.06; 0.04 x 1 = 0.04, but not below the one before: 0.06."""
    assert holm([0.04, None, 0.01, 0.03]) == pytest.approx([0.06, None, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_by_hand() -> None:
    """One of 99 draws at or below zero: 2 (1 + 1) / 100; a draw of zero counts on both sides."""
    assert p_value(np.r_[-1.0, np.ones(98)]) == pytest.approx(0.04)
    assert p_value(np.ones(99)) == pytest.approx(0.02)
    assert p_value(np.zeros(99)) == 1.0
    assert p_value(np.empty(0)) is None


def test_sample_size_by_hand() -> None:
    """Spread 0.05 over 16 objects: sigma 0.2; (1.959964 + 0.841621)^2 = 7.848879; x (0.2 / 0.05)^2 = 125.58."""
    assert objects_needed(0.05, 16) == 126
    assert objects_needed(0.05, 16, difference=0.2) == 8
    assert objects_needed(0.0, 16) == 1


def test_all_draws_at_once_are_the_draws_one_by_one() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 40):
        matches = Matches(rng.random(size) < 0.4, rng.integers(0, 6, size), np.array([2, 0, 1, 3, 0, 9]))
        weights = np.vstack([np.ones(6, int), [0, 3, 0, 0, 3, 0], drawn_counts(6, 30, rng)])
        expected = [weighted_ap50(matches, row) for row in weights]
        assert resampled_ap50(matches, weights) == pytest.approx(
            [np.nan if v is None else v for v in expected], nan_ok=True
        )


def test_one_unit_fewer_is_drawn_so_that_the_spread_is_not_too_small() -> None:
    values = np.array([0.1, 0.4, 0.25])
    drawn = drawn_counts(3, 40000, np.random.default_rng(1)) / 2 @ values
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)
    assert (drawn_counts(1, 3, np.random.default_rng(1)) == 1).all()


def test_the_mean_is_over_folds_of_the_mean_over_seeds() -> None:
    """Fold 0: (0.2 + 0.4) / 2 = 0.3; fold 1: 0.8; together 0.55, not the mean of the three."""
    terms = [Term(0, 0, 0.2, np.full(50, 0.2)), Term(0, 1, 0.4, np.full(50, 0.4)), Term(1, 0, 0.8, np.full(50, 0.8))]
    made = estimate(terms, seed=0)
    assert made is not None and made.interval.mean == pytest.approx(0.55)
    assert made.per_fold == pytest.approx({0: 0.3, 1: 0.8})
    assert estimate([], seed=0) is None


def test_interval_over_seeds_by_hand() -> None:
    """Two folds of seeds (0.1, 0.3) and (0.5, 0.7): pooled s^2 = 0.04 / 2, variance of the mean 0.02 (1/2 + 1/2) / 4,
    t(0.975; 2) = 4.302653: half-width 0.304243."""
    folds = [
        [Term(fold, seed, value, np.empty(0)) for seed, value in enumerate(pair)]
        for fold, pair in enumerate([(0.1, 0.3), (0.5, 0.7)])
    ]
    interval = seeds_interval(0.4, folds)
    assert interval.high == pytest.approx(0.4 + 4.302653 * 0.005**0.5, abs=1e-6)
    assert seeds_interval(0.4, [folds[0][:1]]).low is None


@pytest.mark.parametrize("objects, trainings, both", [(0.01, 1.0, 0.01), (0.3, 1.0, 0.1), (1.0, 0.1, 1.0)])
@pytest.mark.parametrize("seeds", [3, 4])
def test_an_interval_holds_the_truth_as_often_as_it_says(
    seeds: int, objects: float, trainings: float, both: float
) -> None:
    """Simulated trainings on 20 objects, with these variances of a mean over objects, over trainings, and of what one
    training finds on one object. Of 300 intervals of 95 % 263 to 297 hold the truth (91.5 to 95.8 % were measured on
    600; with two trainings that differ by themselves alone 90 %)."""
    rng = np.random.default_rng(0)
    held = 0
    for study in range(300):
        drawn = drawn_counts(20, 300, rng) / 19
        common = rng.normal(0, np.sqrt(20 * objects), 20)
        values = [
            common + rng.normal(0, np.sqrt(20 * both), 20) + rng.normal(0, np.sqrt(trainings)) for _ in range(seeds)
        ]
        made = estimate([Term(0, seed, float(row.mean()), drawn @ row) for seed, row in enumerate(values)], study)
        assert made is not None and made.interval.low is not None and made.interval.high is not None
        held += made.interval.low <= 0 <= made.interval.high
    assert 263 <= held <= 297


def test_only_pairs_are_compared_and_the_rest_is_counted() -> None:
    cells = [
        at("none", 0, 0, 0.5),
        at("none", 0, 1, 0.5),
        at("none", 1, 0, 0.1),
        at("hybrid", 0, 0, 0.7),
        at("hybrid", 0, 1, 0.8),
        at("hybrid", 0, 2, 0.0),
    ]
    row = compare(by_arm(draw_cells(cells, 50, 0)), "hybrid", "none", "none", 0)
    assert row is not None
    assert row.made.interval.mean == pytest.approx(0.25) and row.made.pairs == 2 and list(row.made.per_fold) == [0]
    assert row.unpaired == 2 and row.objects == 10
    text = summarise_study({"main": cells}, draws=50).sentences[0]
    assert "2 pairs of trainings" in text and "2 trainings without a partner left out" in text


def test_arms_without_a_common_cell_are_not_compared() -> None:
    summary = summarise_study({"main": [at("none", 0, 0, 0.5), at("hybrid", 1, 0, 0.7)]}, draws=20)
    assert summary.detectors["mask_rcnn"].main.comparisons == []
    json.dumps(summary.to_json(), allow_nan=False)


def test_the_best_rival_is_chosen_where_all_took_part() -> None:
    """copy_paste is ahead on the cells that all have; that geometric did well on an easy fold does not count."""
    cells = [
        at("anomaly_gan", 0, 0, 0.5),
        at("anomaly_gan@prior", 0, 0, 0.9),
        at("hybrid", 0, 0, 0.9),
        at("none", 0, 0, 0.8),
        at("copy_paste", 0, 0, 0.4),
        at("geometric", 0, 0, 0.3),
        at("geometric", 1, 0, 1.0),
        at("anomaly_gan", 1, 0, 1.0),
    ]
    arms = by_arm(draw_cells(cells, 20, 0))
    assert best_rival(arms, "anomaly_gan", 0) == "copy_paste"
    assert best_rival({"anomaly_gan": arms["anomaly_gan"], "none": arms["none"]}, "anomaly_gan", 0) is None


def test_a_category_without_a_test_defect_is_left_out_of_its_fold() -> None:
    found = Matches(np.array([True]), np.array([0]), np.array([1, 1]))
    cells = [
        cell_of(arm, fold, 0, dict.fromkeys(names, found), (f"{fold}a", f"{fold}b"))
        for arm in ("none", "hybrid")
        for fold, names in enumerate([CATEGORIES, CATEGORIES[:1]])
    ]
    part = summarise_study({"main": cells}, draws=30).detectors["mask_rcnn"].main
    folds = {name: list(made.per_fold) for name, made in part.arms["none"].categories.items() if made}
    assert folds == {"blowhole": [0, 1], "crack": [0]}
    assert part.comparisons[0].made.verdict == "no difference shown"


def test_cells_of_one_fold_must_have_been_judged_on_the_same_objects() -> None:
    other = cell_of("hybrid", 0, 0, {}, ("x", "y"))
    with pytest.raises(InputError, match="K8"):
        draw_cells([at("none", 0, 0, 0.5), other], 20, 0)


def test_leakage_is_told_apart_from_lift() -> None:
    """By objects 0.3 -> 0.4, by images 0.5 -> 0.9: of a lift of 0.4, 0.3 is leakage, three quarters."""
    main = [
        at(arm, fold, seed, ap)
        for arm, ap in (("none", 0.3), ("hybrid", 0.4))
        for fold in range(4)
        for seed in range(3)
    ]
    leak = [
        at(arm, fold, seed, ap)
        for arm, ap in (("none", 0.5), ("hybrid", 0.9))
        for fold in range(4)
        for seed in range(3)
    ]
    leak = [
        StudyCell(c.arm, c.detector, c.fold, c.seed, c.figures, tuple(f"i{o}" for o in c.objects), c.matches)
        for c in leak
    ]
    part = summarise_study({"main": main, "leak": leak}, draws=200).detectors["mask_rcnn"].leak
    assert part is not None and part.arms["none"].ap50.gap.mean == pytest.approx(0.2)
    arm = part.arms["hybrid"]
    assert arm.lift is not None and arm.lift.gap.mean == pytest.approx(0.3)
    assert arm.share_leaked == pytest.approx(0.75)
    assert "75% of the lift of the image split is leakage" in part.sentences[-1]


def test_gated_is_paired_with_ungated() -> None:
    main = [at("hybrid", fold, 0, 0.8) for fold in range(3)]
    free = [at("hybrid", fold, 0, 0.5) for fold in range(3)]
    part = summarise_study({"main": main, "ungated": free}, draws=200).detectors["mask_rcnn"].ungated
    assert part is not None and part.arms["hybrid"].interval.mean == pytest.approx(0.3)
    assert part.arms["hybrid"].verdict == "better"


def configured(objects: int | None = None, real_share: float | None = None, **export: float) -> RunConfig:
    content = {"data": {"root": "x", "objects": objects}, "compare": {"detect": {"real_share": real_share}}}
    return build(RunConfig, {**content, "export": export}, "test")


def test_amounts_come_from_the_configuration() -> None:
    assert amount_of(configured(3, 0.5, real_times=4, per_real=2)) == Amount(4.0, 2.0, 3, 0.5)
    assert amount_of(None) == Amount(1.0, None, None, None)


@pytest.fixture(scope="module")
def summary() -> StudySummary:
    configs = {
        "main": configured(),
        "real2x_synth0": configured(real_times=2, per_real=0),
        "real2x_synth4": configured(real_times=2, per_real=4),
        "objects2": configured(2),
    }
    cells = {"main": simulated_study(SKILLS, 0, folds=2, objects=8)}
    for name, study in (("leak", 1), ("ungated", 0), ("real2x_synth0", 0), ("real2x_synth4", 0), ("objects2", 0)):
        cells[name] = simulated_study(SKILLS, study, folds=2, seeds=(0, 1), objects=8)
    gates = [
        GateFigures(arm, fold, name, {"seam": fold + len(arm) / 10})
        for arm in SKILLS
        if arm != "none"
        for fold in (0, 1)
        for name in CATEGORIES
    ]
    return summarise_study(cells, gates_by_variant={"main": gates}, configs=configs, draws=60)


def test_a_summary_is_json_and_does_not_depend_on_the_order(summary: StudySummary) -> None:
    json.dumps(summary.to_json(), allow_nan=False)
    cells = simulated_study(SKILLS, 0, folds=2, objects=8)
    assert summarise_study({"main": cells[::-1]}, draws=60) == summarise_study({"main": cells}, draws=60)
    assert summarise_study({"main": cells}, draws=60, seed=1) != summarise_study({"main": cells}, draws=60)
    with pytest.raises(ValueError, match="at least 2"):
        summarise_study({"main": cells}, draws=1)
    assert summarise_study({"main": []}).sentences == []


def test_rows_have_the_columns_and_every_category(summary: StudySummary) -> None:
    rows = comparison_rows(summary)
    assert all(tuple(row) == COMPARISON_COLUMNS for row in rows)
    whole = [row for row in rows if row["category"] is None]
    of_one = [("copy_paste", "none"), ("anomaly_gan", "none"), ("anomaly_gan", "best_other")]
    variants = ["main", *summary.detectors["mask_rcnn"].variants]
    assert len(variants) == 6, "each variant's arms are compared with its own none"
    assert [(row["variant"], row["arm"], row["kind"]) for row in whole] == [
        (name, *row) for name in variants for row in of_one
    ]
    assert len(rows) == len(whole) * (1 + len(CATEGORIES))
    assert {row["gate"] for row in gate_rows(summary)} == {"seam"}


def test_amount_rows_are_lifts_over_none_and_over_as_much_real_alone(summary: StudySummary) -> None:
    amount = summary.detectors["mask_rcnn"].amount
    assert amount is not None
    rows = {(row.variant, row.arm): row for row in amount.amounts}
    assert [key for key in rows if key[1] == "none"] == [("main", "none")]  # an export's copies do not reach it
    row = rows["real2x_synth4", "copy_paste"]
    assert (row.amount, row.against) == (Amount(2, 4, None, None), "none of real2x_synth4")
    assert row.real_alone == "copy_paste of real2x_synth0"
    assert row.over_real_alone is not None and row.over_real_alone.interval.mean == pytest.approx(0)  # simulated alike
    assert rows["real2x_synth0", "copy_paste"].over_real_alone is None
    assert [row.amount.objects for row in amount.objects] == [2, 2, 2, None, None, None]


def test_as_much_real_alone_is_found_whatever_the_share_of_a_batch() -> None:
    """Any arm will do where nothing synthetic is in the export: they all trained on the same photographs."""
    cells = {
        "main": [at("none", 0, 0, 0.4)],
        "real2x_synth0": [at("geometric", 0, 0, 0.5)],
        "real2x_synth4_free": [at("hybrid", 0, 0, 0.7)],
    }
    configs = {
        "main": configured(real_share=0.5),
        "real2x_synth0": configured(real_share=0.5, real_times=2, per_real=0),
        "real2x_synth4_free": configured(real_share=0.9, real_times=2, per_real=4),
    }
    amount = summarise_study(cells, configs=configs, draws=20).detectors["mask_rcnn"].amount
    assert amount is not None
    row = next(row for row in amount.amounts if row.arm == "hybrid")
    assert row.real_alone == "geometric of real2x_synth0" and row.against == "none of main"
    assert row.over_real_alone is not None and row.over_real_alone.interval.mean == pytest.approx(0.2)
    assert row.lift is not None and row.lift.interval.mean == pytest.approx(0.3)


def test_pictures_are_drawn_and_the_same_again(summary: StudySummary, tmp_path: Path) -> None:
    assert write_plots(tmp_path, summary) == ["lift.png", "leak.png", "amount.png"]
    once = (tmp_path / "lift.png").read_bytes()
    gates = GateStudy([GateRow("seam", "arms", Correlation(20, 5, 4, 0.5, 0.1, 0.8, True))], [])
    less = replace(summary.detectors["mask_rcnn"], leak=None, amount=None, gates=gates)
    assert write_plots(tmp_path, replace(summary, detectors={"mask_rcnn": less})) == ["lift.png", "gates.png"]
    assert (tmp_path / "lift.png").read_bytes() == once
    assert write_plots(tmp_path, replace(summary, detectors={})) == []
