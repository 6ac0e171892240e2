"""Variants beside main: whose ``none`` they are set against, and every detector in one table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_study import simulated_study

from anomaly_gan.core.config import build
from anomaly_gan.study.config import StudyConfig
from anomaly_gan.study.report import headline, others
from anomaly_gan.study.report_tables import detector_table
from anomaly_gan.study.statistics import StudyCell, comparison_rows, summarise_study

MAIN = {"none": 0.0, "anomaly_gan": 3.0}


def study(variant: dict[str, float], number: int = 0) -> dict[str, list[StudyCell]]:
    return {"main": simulated_study(MAIN, 0), "generated": simulated_study(variant, number)}


def against_none(cells: dict[str, list[StudyCell]], configs=None, variant: str = "generated") -> list[str]:
    rows = comparison_rows(summarise_study(cells, configs=configs, draws=60))
    return [row["arm"] for row in rows if row["variant"] == variant and row["kind"] == "none" and not row["category"]]


def test_a_variant_without_none_is_set_against_that_of_main():
    cells = study({"anomaly_gan": 3.0})
    part = summarise_study(cells, draws=60)["detectors"]["mask_rcnn"]
    lift = {
        name: next(row for row in of["comparisons"] if row["kind"] == "none")
        for name, of in (("main", part), ("generated", part["variants"]["generated"]))
    }
    assert lift["generated"]["mean"] == lift["main"]["mean"] > 0 and lift["generated"]["verdict"] == "better"
    assert against_none(cells) == ["anomaly_gan"]


@pytest.mark.parametrize("variant", [{"none": -2.0, "anomaly_gan": 3.0}, {"anomaly_gan": 3.0}])
def test_its_own_none_comes_first(variant):
    part = summarise_study(study(variant), draws=60)["detectors"]["mask_rcnn"]["variants"]["generated"]
    main = summarise_study(study(variant), draws=60)["detectors"]["mask_rcnn"]
    same = part["arms"]["none"]["map50"]["mean"] == main["arms"]["none"]["map50"]["mean"]
    assert same == ("none" not in variant)


def test_none_of_other_data_or_of_other_test_objects_is_no_measure():
    cells = study({"anomaly_gan": 3.0})
    data = {"main": {"data": {"fold": 0}}, "generated": {"data": {"fold": 1, "objects": 2}}}
    assert against_none(cells, data) == []
    assert against_none(cells, {**data, "generated": {"data": {"fold": 1}}}) == ["anomaly_gan"]
    assert against_none(study({"anomaly_gan": 3.0}, number=1)) == [], "other objects: the leaky split, for one"


def test_a_repeat_is_set_against_main_of_the_same_repeat():
    cells = study({"anomaly_gan": 3.0})
    again = {f"{name}.r1": items for name, items in study({"anomaly_gan": 1.0}).items()}
    again["main.r1"] = simulated_study({"none": 5.0, "anomaly_gan": 3.0}, 0)
    summary = summarise_study(cells | again, draws=60)["detectors"]["mask_rcnn"]
    first, second = (
        next(row for row in summary["variants"][name]["comparisons"] if row["kind"] == "none")
        for name in ("generated", "generated.r1")
    )
    assert first["mean"] > 0 > second["mean"]
    both = next(row for row in summary["repeats"]["generated"]["comparisons"] if row["kind"] == "none")
    assert both["mean"] == pytest.approx((first["mean"] + second["mean"]) / 2)


def test_our_arms_are_set_against_the_papers_own_recipe():
    cells = simulated_study({"none": 0.0, "anomaly_gan_paper": 0.0, "copy_paste": 0.0, "anomaly_gan": 3.0}, 0)
    part = summarise_study({"main": cells}, draws=60)["detectors"]["mask_rcnn"]
    [row] = [row for row in part["comparisons"] if row["kind"] == "paper"]
    assert (row["arm"], row["against"], row["verdict"]) == ("anomaly_gan", "anomaly_gan_paper", "better")
    assert row["mean"] == pytest.approx(
        part["arms"]["anomaly_gan"]["map50"]["mean"] - part["arms"]["anomaly_gan_paper"]["map50"]["mean"]
    )
    assert row["sentence"].startswith("anomaly_gan: better than anomaly_gan_paper: AP@0.5 +")


def test_the_headline_is_of_the_first_detector_and_names_it():
    """The second one finds more by far: told below, not on top."""
    one = study({"anomaly_gan": 3.0})["main"]
    other = [replace(cell, detector="ms_rcnn") for cell in simulated_study({"none": -3.0, "anomaly_gan": 5.0}, 0)]
    summary = summarise_study({"main": one + other}, draws=60) | {"cells": {"expected": 48, "finished": 48}}
    config = build(StudyConfig, {"base": "x", "folds": [0]}, "test")
    assert headline(config, summary).startswith("mask_rcnn: anomaly_gan: better than none")
    assert [text.partition(":")[0] for text in others(summary)] == ["ms_rcnn"]
    alone = summarise_study({"main": one}, draws=60) | {"cells": {"expected": 24, "finished": 24}}
    assert headline(config, alone).startswith("anomaly_gan: better than none") and others(alone) == []


def test_every_detector_is_a_row_of_one_table():
    cells = study({"anomaly_gan": 3.0})
    assert detector_table(summarise_study(cells, draws=60)).rows == [], "one detector has its own section"
    more = {name: [*items, *(replace(cell, detector="ms_rcnn") for cell in items)] for name, items in cells.items()}
    table = detector_table(summarise_study(more, draws=60))
    assert [row[:4] for row in table.rows] == [
        [detector, variant, arm, 12]
        for detector in ("mask_rcnn", "ms_rcnn")
        for variant, arm in (("main", "none"), ("main", "anomaly_gan"), ("generated", "anomaly_gan"))
    ]
    assert table.rows[0][4] == pytest.approx(sum(cell.figure() for cell in cells["main"] if cell.arm == "none") / 12)
    assert table.rows[0][-1] is None and table.rows[2][-1] == "better"
    more["generated"] += simulated_study({"none": -2.0}, 0)
    own = detector_table(summarise_study(more, draws=60)).rows
    assert [row[:3] for row in own].count(["mask_rcnn", "generated", "none"]) == 1, "a none of its own is shown"
    assert ["ms_rcnn", "generated", "none"] not in [row[:3] for row in own]
