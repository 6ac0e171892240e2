"""The headline claims what the intervals carry, and no more."""

from __future__ import annotations

import pytest

from anomaly_gan.report.sections.lift import UNDECIDED, headline, in_order, interval
from anomaly_gan.report.stage import open_templates
from anomaly_gan.report.tables import Table


def arm(mean, low, high, verdict, objects=None):
    found = {"difference": {"map50": {"mean": mean, "low": low, "high": high, "verdict": verdict}}}
    return found | ({"difference_over_objects": {"verdict": objects}} if objects else {})


@pytest.mark.parametrize(
    ("item", "starts", "holds"),
    [
        (
            arm(0.05, 0.02, 0.08, "better", "better"),
            "With anomaly_gan photographs the detector got better: AP@0.5 +0.050",
            "+0.020 to +0.080, 3 seeds).",
        ),
        (
            arm(0.05, 0.02, 0.08, "better", "no difference shown"),
            "With anomaly_gan photographs the detector got better",
            "but that is not shown to carry over to other objects.",
        ),
        (
            arm(-0.05, -0.08, -0.02, "worse"),
            "With anomaly_gan photographs the detector got worse: AP@0.5 -0.050",
            "seeds",
        ),
        (arm(0.05, -0.02, 0.12, "no difference shown"), "No difference shown:", "-0.020 to +0.120"),
        (arm(0.05, None, None, "no difference shown"), "No difference shown:", "so no interval"),
    ],
)
def test_headline(item, starts, holds):
    sentence = headline({"none": {}, "anomaly_gan": item, "copy_paste": arm(9.0, 8.0, 10.0, "better")}, 3)
    assert sentence.startswith(starts)
    assert holds in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    "arms",
    [{}, {"none": {}}, {"none": {}, "x": {"difference": None}}, {"none": {}, "x": {"difference": {"map50": None}}}],
)
def test_no_figure_is_no_verdict(arms):
    assert headline(arms, 1) == UNDECIDED


def test_without_anomaly_gan_the_headline_is_about_the_last_arm():
    assert "copy_paste" in headline({"none": {}, "copy_paste": arm(0.05, 0.02, 0.08, "better")}, 2)


def test_an_interval_without_bounds_is_the_mean_alone():
    assert interval({"mean": 0.5, "low": None, "high": None}) == "0.500"
    assert interval(None) is None


def test_arms_stand_in_the_order_of_the_configuration_with_real_photographs_first():
    arms = {name: {} for name in ("anomaly_gan", "copy_paste", "none", "x")}
    assert list(in_order(arms, ["copy_paste", "anomaly_gan"])) == ["none", "copy_paste", "anomaly_gan", "x"]


def test_in_a_wide_table_a_mean_stands_above_its_interval_and_no_column_is_pushed_off_the_page():
    table = Table(["arm", "AP@0.5", "note"], [["none", "0.395 [0.332, 0.457]", "a, b"]])
    templates = open_templates()
    cell = templates.get_template("parts.html").module.data_table(table)
    assert "0.395 [0.332,\u00a00.457]" in cell and "a, b" in cell
    style = templates.get_template("style.css").render()
    assert "table.calls td.n { white-space: nowrap; }" in style and style.count("td.n") == 1
