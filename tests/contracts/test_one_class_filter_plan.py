"""A run without one-class detectors is planned as before; with them, two stages come in."""

from __future__ import annotations

import pytest

from anomaly_gan.core.config import build, dump_yaml
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan

ARMS = ("geometric", "copy_paste", "best")


def config(**sections) -> RunConfig:
    return build(RunConfig, {"data": {"root": "x"}, **sections}, "run.yaml")


def test_off_it_leaves_no_trace():
    made = config()
    names = [step.name for step in plan(made)]
    assert not [name for name in names if name.startswith(("one_class", "one_class_filter"))]
    assert all(not key.startswith(("one_class", "one_class_filter")) for step in plan(made) for key in step.inputs)


def test_on_it_stands_between_gate_and_export():
    made = config(one_class={"detectors": ["iaead"]})
    steps = {step.name: step for step in plan(made)}
    assert [name for name in steps if name not in [step.name for step in plan(config())]] == [
        "one_class",
        *(f"one_class_filter@{arm}" for arm in ARMS),
    ]
    order = list(steps)
    assert order.index("gate@best") < order.index("one_class") < order.index("one_class_filter@geometric")
    assert order.index("one_class_filter@best") < order.index("export@geometric")
    assert steps["one_class_filter@copy_paste"].inputs == {
        name: name for name in ("ingest", "gate@copy_paste", "one_class")
    }
    assert steps["one_class_filter@copy_paste"].config.method == "copy_paste"
    assert {"one_class", "one_class_filter@geometric"} <= set(steps["report"].inputs)
    # a filter that nothing acts on makes no export anew
    assert steps["export@copy_paste"].inputs == {name: name for name in ("ingest", "gate@copy_paste")}
    assert build(RunConfig, made.model_dump(mode="json"), "run.yaml") == made


def test_dropping_makes_the_export_read_the_filter_of_its_own_arm():
    made = config(
        one_class={"detectors": ["iaead"]},
        export={"outliers": "drop"},
        pool_variants={"small": {"count": 5}},
        compare={"arms": ["none", "copy_paste", "copy_paste@small"]},
    )
    steps = {step.name: step for step in plan(made)}
    assert steps["export@copy_paste@small"].inputs["one_class_filter@copy_paste"] == "one_class_filter@copy_paste@small"
    assert "outliers: drop" in dump_yaml(steps["export@copy_paste"].config)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"export": {"outliers": "drop"}}, "needs a one-class filter"),
        ({"one_class": {"detectors": ["iaed"]}}, "did you mean 'iaead'"),
        ({"one_class": {"detectors": ["iaead", "iaead"]}}, "stands twice"),
        ({"one_class": {"detectors": ["iaead"], "settings": {"iaead": {"epoch": 3}}}}, "did you mean 'epochs'"),
        ({"one_class": {"detectors": ["iaead"], "settings": {"cae": {"epochs": 3}}}}, "cae is not among the detectors"),
        ({"one_class": {"detectors": ["iaead"], "false_alarm": 0}}, "false_alarm"),
    ],
)
def test_a_mistake_is_named_in_one_line(sections, words):
    with pytest.raises(ConfigError, match=words) as caught:
        config(**sections)
    assert "\n" not in str(caught.value)
