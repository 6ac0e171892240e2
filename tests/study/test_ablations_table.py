"""The ablation table: from gates on disk to differences, intervals and words, worked out by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.report.tables import flatten
from anomaly_gan.study.ablations import what_changes
from anomaly_gan.study.config import read_study, split_repeat
from anomaly_gan.study.plan import plan_study
from anomaly_gan.study.run import run_study
from anomaly_gan.study.statistics import Trained, ablation_study
from anomaly_gan.study.statistics.ablations import AIMS, Aim, spread
from detection.evaluation.statistics import Interval

STUDY = """
name: small
base: embedded:magnetic_tile.yaml
folds: [0, 1, 2]
repeats: 2
until: gate
set: {preset: smoke, compare: {arms: [anomaly_gan, copy_paste]}}
variants:
  r1: {train_methods: {anomaly_gan: {r1: 1.0}}}
  no_ema: {train: {ema: 0}}
  leak: {data: {split: images}}
"""


def gate(kid: float, label_check: float, diversity: float = 0.9, **more) -> dict:
    """The metrics of one category, as far as they are read."""
    return {
        "wanted": 10,
        "tried": 12,
        "accepted": 10,
        "accepted_at_once": 8,
        "defect": {
            "generated": 10,
            "KID-Toy": {"over_p95": kid, "ratio": None},
            "FD-Toy": {"over_p95": 2.0, "ratio": 1.5},
            "PD-Toy": {"pairs": {"ratio": diversity}},
        },
        "label_check": {
            "median": label_check + 0.05,
            "median_at_first": label_check,
            "real_median": 0.6,
            "difference": label_check - 0.55,
            "empty_share": 0.1,
        },
        "copies": {"share": 0.0},
        **more,
    }


NAMES = {"kernel": "KID-Toy", "frechet": "FD-Toy", "perceptual": "PD-Toy"}


def write_gates(runs) -> None:
    """r1 halves the KID everywhere; no_ema loses 0.1 of the label_check; folds and repeats differ by themselves."""
    for run in runs:
        name, repeat = split_repeat(run.variant)
        base = 1 + 0.1 * run.fold + 0.01 * repeat
        kid = base * (0.5 if name == "r1" else 1)
        found = 0.5 - (0.1 + 0.01 * run.fold * (repeat + 1) if name == "no_ema" else 0)
        categories = {"crack": gate(kid, found), "break": gate(kid + 1, found, 1.3)}
        for arm in ("anomaly_gan", "copy_paste"):
            write_json(
                run.folder / f"gate@{arm}" / "metrics.json",
                {"figures": NAMES, "categories": categories},
            )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(STUDY)
    study, base = read_study(folder / "study.yaml", [])
    runs = plan_study(study, base, folder / "out")
    write_gates(runs)
    return study, base, runs, run_study(study, base, folder / "out", print, tables_only=True), folder / "out"


def test_repeats_train_every_variant_again_from_another_seed(finished):
    _, _, runs, _, _ = finished
    assert [run.name for run in runs[:5]] == ["main/fold0", "r1/fold0", "no_ema/fold0", "leak/fold0", "main/fold1"]
    assert runs[12].name == "main.r1/fold0" and len(runs) == 24, "a stopped study holds whole repeats"
    configs = {run.name: run.config for run in runs}
    assert configs["r1.r1/fold2"].training("anomaly_gan").recipe.r1 == 1 and configs["r1.r1/fold2"].train.repeat == 1
    assert configs["r1/fold2"].train.repeat == 0
    for name in ("data", "pool", "seed", "generate"):
        assert getattr(configs["r1.r1/fold2"], name) == getattr(configs["main/fold2"], name), "the same photographs"


def test_repeats_of_few_objects_learn_from_other_draws_of_them(finished):
    study, base, _, _, _ = finished
    few = study.model_copy(update={"variants": {"few": {"data": {"objects": 2, "draw": 4}}}})
    draws = {run.name: run.config.data.draw for run in plan_study(few, base, Path("out")) if run.fold == 0}
    assert draws == {"main/fold0": 0, "few/fold0": 4, "main.r1/fold0": 0, "few.r1/fold0": 5}


def test_a_variant_may_not_take_the_name_of_a_repeat(tmp_path):
    (tmp_path / "study.yaml").write_text("base: embedded:demo.yaml\nvariants: {main.r1: {seed: 3}}")
    with pytest.raises(ConfigError, match="is how the study calls a repeat"):
        read_study(tmp_path / "study.yaml", [])


def test_the_table_of_a_study_by_hand(finished):
    *_, outcome, out = finished
    assert {"ablations.csv", "ablations.png"} <= set(outcome.written)
    with (out / "ablations.csv").open(newline="") as file:
        rows = {(row["variant"], row["figure"]): row for row in csv.DictReader(file)}
    assert {variant for variant, _ in rows} == {"main", "r1", "no_ema"}, "a leak is no ablation"
    assert {row["arm"] for row in rows.values()} == {"anomaly_gan"}, "copy_paste learns nothing"
    kid = rows["r1", "kid"]
    differences = [-0.5 * (1 + 0.1 * fold + 0.01 * repeat) for fold in range(3) for repeat in range(2)]
    assert float(kid["difference"]) == pytest.approx(np.mean(differences), abs=1e-6)
    per_fold = np.reshape(differences, (3, 2)).mean(1)  # the folds differ by far more than the repeats
    half = stats.t.ppf(0.975, 2) * per_fold.std(ddof=1) / math.sqrt(3)
    assert float(kid["difference_high"]) == pytest.approx(per_fold.mean() + half, abs=1e-6)
    assert kid["sample"] == "folds" and kid["pairs"] == "6" and kid["verdict"] == "better"
    assert float(kid["p_holm"]) == pytest.approx(2 * float(kid["p"]), abs=2e-6) and float(kid["p"]) > 1e-5
    assert rows["no_ema", "label_check"]["verdict"] == rows["no_ema", "label_iou_gap"]["verdict"] == "worse"
    assert float(rows["main", "label_check"]["mean"]) == pytest.approx(0.5), "before the gate chose"
    assert rows["no_ema", "kid"]["verdict"] == rows["r1", "label_check"]["verdict"] == "no difference shown"
    assert float(rows["main", "diversity"]["mean"]) == pytest.approx(1.1) and rows["main", "kid"]["verdict"] == ""
    assert float(rows["main", "at_once"]["mean"]) == pytest.approx(0.8)
    assert outcome.ablations is not None
    words = outcome.ablations.sentences
    assert words[0].startswith("r1 (r1: 1.0): better than main: defect KID") and "6 pairs of trainings" in words[0]
    assert words[1].startswith("no_ema (ema: 0): worse than main")
    page = (out / "report.html").read_text()
    assert "Ablations of the training" in page and "no_ema" in page


def test_the_same_gates_give_the_same_bytes(finished):
    study, base, _, outcome, out = finished
    before = {name: (out / name).read_bytes() for name in outcome.written}
    run_study(study, base, out, print, tables_only=True)
    assert before == {name: (out / name).read_bytes() for name in outcome.written}


def test_an_interval_pools_trainings_unless_the_folds_stand_apart():
    alike = {
        (fold, repeat): value
        for (fold, repeat), value in zip(
            [(fold, repeat) for fold in range(2) for repeat in range(3)], [1.0, 2.0, 3.0, 1.5, 2.0, 2.5], strict=True
        )
    }
    found, values = spread(alike), list(alike.values())
    half = stats.t.ppf(0.975, 5) * np.std(values, ddof=1) / math.sqrt(6)
    assert found.sample == "trainings" and found.interval.mean == 2
    assert (found.interval.low, found.interval.high) == pytest.approx((2 - half, 2 + half))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    apart = spread({(0, 0): 1.0, (0, 1): 1.1, (1, 0): 3.0, (1, 1): 3.1})
    assert apart.sample == "folds" and apart.interval.high == pytest.approx(2.05 + stats.t.ppf(0.975, 1) * 1.0)
    assert spread({(0, 0): 1.0}).interval == Interval(1.0, None, None)
    assert spread({(0, 0): 0.0, (1, 0): 0.0}).p == 1.0


def test_pairs_share_categories_and_detector_trainings():
    def trained(variant, repeat, kid, ap):
        return Trained(variant, 0, repeat, "anomaly_gan", {"kid": kid, "ap50": ap})

    items = [
        trained("main", 0, {"a": 1.0, "b": 9.0}, {"mask_rcnn 0": 0.4, "mask_rcnn 1": 0.6}),
        trained("x", 0, {"a": 2.0}, {"mask_rcnn 1": 0.7}),
        trained("x", 1, {"a": 5.0}, {}),
    ]
    part = ablation_study(items, {"x": "x: 1"}).arms["anomaly_gan"][1].to_json()
    assert part["figures"]["kid"]["difference"] == {"mean": 1.0, "low": None, "high": None}
    assert part["figures"]["ap50"]["difference"]["mean"] == pytest.approx(0.1)
    assert part["figures"]["kid"]["trainings"] == 2 and part["figures"]["kid"]["pairs"] == 1
    assert part["verdict"] == "no difference shown", "one pair shows nothing"
    assert ablation_study(items[:1], {"x": "x: 1"}) is None


def test_better_is_down_up_or_nearer_to_one():
    aims = {aim.name: aim for aim in AIMS}
    rise = Interval(0.2, 0.1, 0.3)
    assert aims["ap50"].gain(rise) == rise and aims["kid"].gain(rise) == Interval(-0.2, -0.3, -0.1)
    assert aims["kid"].gain(Interval(0.2, None, None)) == Interval(-0.2, None, None)
    assert Aim("d", "", (), "one").distance(1.3) == pytest.approx(Aim("d", "", (), "one").distance(0.7))


def test_only_variants_of_the_training_alone_are_ablations():
    assert what_changes({"train": {"r1": 1.0, "r1_every": 2}, "folds": [0]}) == "r1: 1.0, r1_every: 2"
    assert what_changes({"train_methods": {"anomaly_gan_paper": {"lambda_1": 1}}}) == "lambda_1: 1"
    assert not what_changes({"train": {"r1": 1.0}, "data": {"objects": 2}}) and not what_changes({"folds": [1]})


@pytest.mark.parametrize("name", ["ablations", "ablation", "recipe", "recipe_scenes"])
def test_the_studies_of_the_package_change_what_they_say(name, tmp_path):
    study, base = read_study(PACKAGE / "configs" / f"{name}.yaml", [])
    runs = {run.name: run.config for run in plan_study(study, base, tmp_path)}
    learner = "anomaly_gan" if name == "ablations" else "anomaly_gan_paper"
    main = runs["main/fold0"].training(learner)
    for variant, over in study.variants.items():
        config = runs[f"{variant}/fold0"].training(learner)
        values = {**over.get("train", {}), **over.get("train_methods", {}).get(learner, {})}
        before, after = (dict(flatten(one.model_dump())) for one in (main, config))
        changed = {key.removeprefix("recipe.") for key in before if before[key] != after[key]}
        assert changed == {key for key, _ in flatten(values)}, f"{variant} changes something else, or nothing"
