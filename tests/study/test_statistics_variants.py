"""Variants beside main: whose ``none`` they are set against, and every detector in one table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_study import simulated_study

from anomaly_gan.core.config import build
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.study.config import StudyConfig
from anomaly_gan.study.outcome import CellCount
from anomaly_gan.study.report import headline, others
from anomaly_gan.study.report_tables import detector_table, none_of
from anomaly_gan.study.statistics import StudyCell, comparison_rows, summarise_study

MAIN = {"none": 0.0, "anomaly_gan": 3.0}


def study(variant: dict[str, float], number: int = 0) -> dict[str, list[StudyCell]]:
    return {"main": simulated_study(MAIN, 0), "generated": simulated_study(variant, number)}


def against_none(cells: dict[str, list[StudyCell]], configs=None, variant: str = "generated") -> list[str]:
    rows = comparison_rows(summarise_study(cells, configs=configs, draws=60))
    return [row["arm"] for row in rows if row["variant"] == variant and row["kind"] == "none" and not row["category"]]


def test_a_variant_without_none_is_set_against_that_of_main():
    cells = study({"anomaly_gan": 3.0})
    part = summarise_study(cells, draws=60).detectors["mask_rcnn"]
    main, generated = (of.over_none["anomaly_gan"].made for of in (part.main, part.variants["generated"]))
    assert generated.interval.mean == main.interval.mean > 0 and generated.verdict == "better"
    assert against_none(cells) == ["anomaly_gan"]


@pytest.mark.parametrize("variant", [{"none": -2.0, "anomaly_gan": 3.0}, {"anomaly_gan": 3.0}])
def test_its_own_none_comes_first(variant):
    part = summarise_study(study(variant), draws=60).detectors["mask_rcnn"]
    assert (none_of(part.variants["generated"]) == none_of(part.main)) == ("none" not in variant)


def test_none_of_other_data_or_of_other_test_objects_is_no_measure():
    cells = study({"anomaly_gan": 3.0})
    main, other, few = (
        build(RunConfig, {"data": {"root": "x", "fold": 0} | data}, "test")
        for data in ({}, {"fold": 1}, {"fold": 1, "objects": 2})
    )
    assert against_none(cells, {"main": main, "generated": few}) == []
    assert against_none(cells, {"main": main, "generated": other}) == ["anomaly_gan"]
    assert against_none(study({"anomaly_gan": 3.0}, number=1)) == [], "other objects: the leaky split, for one"


def test_a_repeat_is_set_against_main_of_the_same_repeat():
    cells = study({"anomaly_gan": 3.0})
    again = {f"{name}.r1": items for name, items in study({"anomaly_gan": 1.0}).items()}
    again["main.r1"] = simulated_study({"none": 5.0, "anomaly_gan": 3.0}, 0)
    part = summarise_study(cells | again, draws=60).detectors["mask_rcnn"]
    first, second, both = (
        of.over_none["anomaly_gan"].made.interval.mean
        for of in (part.variants["generated"], part.variants["generated.r1"], part.repeats["generated"])
    )
    assert first > 0 > second
    assert both == pytest.approx((first + second) / 2)


def test_our_arms_are_set_against_the_papers_own_recipe():
    cells = simulated_study({"none": 0.0, "anomaly_gan_paper": 0.0, "copy_paste": 0.0, "anomaly_gan": 3.0}, 0)
    part = summarise_study({"main": cells}, draws=60).detectors["mask_rcnn"].main
    [row] = [row for row in part.comparisons if row.kind == "paper"]
    assert (row.arm, row.against, row.made.verdict) == ("anomaly_gan", "anomaly_gan_paper", "better")
    ours, papers = (part.arms[arm].metrics["map50"] for arm in (row.arm, row.against))
    assert ours and papers and row.made.interval.mean == pytest.approx(ours.interval.mean - papers.interval.mean)
    assert row.sentence().startswith("anomaly_gan: better than anomaly_gan_paper: AP@0.5 +")


def test_the_headline_is_of_the_first_detector_and_names_it():
    """The second one finds more by far: told below, not on top."""
    one = study({"anomaly_gan": 3.0})["main"]
    other = [replace(cell, detector="ms_rcnn") for cell in simulated_study({"none": -3.0, "anomaly_gan": 5.0}, 0)]
    summary = summarise_study({"main": one + other}, draws=60)
    config = build(StudyConfig, {"base": "x", "folds": [0]}, "test")
    assert headline(config, summary, CellCount(48, 48, {}, [], 0)).startswith(
        "mask_rcnn: anomaly_gan: better than none"
    )
    assert [text.partition(":")[0] for text in others(summary)] == ["ms_rcnn"]
    alone = summarise_study({"main": one}, draws=60)
    assert headline(config, alone, CellCount(24, 24, {}, [], 0)).startswith("anomaly_gan: better than none")
    assert others(alone) == []


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
