"""The verdict: what is said of which figures, category by category, and how the run ends."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anomaly_gan.report.verdict.build import Closing, close_gates, close_run, closing, paragraph, verdict_of
from anomaly_gan.report.verdict.decide import Decision, decide, needed
from anomaly_gan.report.verdict.facts import CategoryFacts, Facts, Interval, Training
from anomaly_gan.report.verdict.result import Verdict
from anomaly_gan.report.verdict.rules import RULES, advise
from anomaly_gan.synthesis.choice.result import Choice, Trial
from anomaly_gan.synthesis.gate.category_metrics import CATEGORY_METRICS
from anomaly_gan.synthesis.gate.results import CategoryResult, Counts, GateResult, MetricResult, worst

BETTER, BROAD = Interval(0.08, 0.05, 0.11), Interval(0.08, 0.02, 0.2)
TRIAL = Trial("copy_paste", 40, 0.9, 0.62, 0.5, 0.74)
COUNTS = Counts(20, 20, 0, 20, 20, 0, 0)


def gate(*metrics, counts=COUNTS):
    level = worst([item.level for item in metrics] or ["pass"])
    return CategoryResult("crack", level, "crack: 20 accepted.", 8, counts, {item.name: item for item in metrics})


def crack(*metrics, counts=COUNTS, **changes):
    good = CategoryFacts("crack", gate(*metrics, counts=counts), False, 8, 6, 6.0, 0.4, 0.48, BETTER, BROAD)
    return replace(good, **changes)


def facts(*categories, **changes):
    good = Facts(
        "anomaly_gan",
        categories or (crack(),),
        Training(2000, 2000),
        compared=True,
        seeds=3,
        detector="mask_rcnn",
        image_size=256,
        ap_real=0.4,
        sound_test=12,
    )
    return replace(good, **changes)


def metric(name, level="fail", value=0.5, **changes):
    return MetricResult(name, level, f"{name} is off", value, 0.05, 0.5, **changes)


def two(**changes):
    return crack(**changes), replace(crack(**changes), name="break")


TURNED = {"high": 38.0, "rotation": 35}
AREAS = {"low_px": 40, "high_px": 900}
LOST = replace(COUNTS, accepted=3, shortfall=17, reasons={"H7": 15, "H6": 2})
TRIGGERS = {
    "nothing_passed": (facts(nothing_passed=True), "nothing passed the gate"),
    "cut_short": (
        facts(training=Training(4, 2000, "time", 4.0)),
        "trained 4 of 2,000 steps, ended by time: give it 33 hours",
    ),
    "few_steps": (facts(training=Training(150, 150)), "trained 150 steps only: set train.steps"),
    "collapsed": (
        facts(training=Training(2000, 2000, warnings=("all generated defects look the same",))),
        "in the training all generated defects look the same: train with another seed",
    ),
    "ended": (facts(ended=("12 of 40 photographs were generated",)), "for the time was over: give the run more time"),
    "few_parts": (
        facts(crack(metric("tone", "too_few", have=3, need=6))),
        "too few to say (3 of 6 parts with this defect): label 3 more",
    ),
    "direction": (
        facts(crack(metric("direction", detail=TURNED))),
        "half of the masks stand further from the usual direction than any real crack (38°): set pool.rotation: 35",
    ),
    "tone": (facts(crack(metric("tone", detail={"shift": 20.4}))), "painted tone 20 levels brighter than real"),
    "colour": (facts(crack(metric("colour", detail={"shift_a": -9, "shift_b": 2}))), "a tinge of green"),
    "size": (facts(crack(metric("size", detail=AREAS))), "set pool.rules.crack.area_px: [40, 900]"),
    "place": (facts(crack(metric("place", value=0.7))), "70% of the masks lie where no real crack lies"),
    "look": (facts(crack(metric("defects", value=3.06))), "3.1 times as much as real ones of other parts do"),
    "refused": (facts(crack(metric("accepted", "warn"), counts=LOST)), "3 of 20 wanted photographs passed"),
    "variety": (facts(crack(metric("diversity", "warn", 0.2))), "20% as unlike each other"),
    "labels": (facts(crack(metric("empty", "warn", 0.09))), "under 9% of the masks no defect is found"),
    "copies": (facts(crack(metric("copies", "warn"))), "label more parts"),
    "around": (facts(crack(metric("crops", "warn"))), "the surroundings of generated defects differ"),
    "others": (facts(crack(metric("grain"))), "grain is off"),
    "blind": (facts(crack(ap_real=0.013, ap=0.02)), "the detector hardly finds it: AP@0.5 0.013"),
    "thin": (facts(crack(width_px=2.0)), "2.0 px wide as the detector sees it (image_size 256)"),
    "few_test_parts": (facts(crack(test_objects=2)), "2 parts with this defect to test on: label 3 more"),
    "one_seed": (facts(seeds=1), "set compare.seeds: 3"),
    "no_sound": (facts(sound_test=0), "no sound photograph to test on"),
}
TRIGGERS["few_test_parts"] = (TRIGGERS["few_test_parts"][0], "at least 5 are needed: label 3 more")
"""For every row of the table figures that call for its sentence, and words of it. A new row brings its own."""

QUIET = {
    "cut_short": facts(training=Training(1900, 2000, "time", 30.0)),
    "few_steps": facts(training=Training(500, 500)),
    "place": facts(crack(metric("place", "pass"))),
    "around": facts(crack(metric("crops", "warn"), metric("defects", "fail", 3.0))),
    "blind": facts(crack(ap_real=0.01, ap=0.3)),
    "thin": facts(crack(width_px=3.1)),
    "few_test_parts": facts(crack(test_objects=5)),
    "no_sound": facts(sound_test=1),
    "one_seed": facts(seeds=2),
}
"""Figures near by that do not."""


@pytest.mark.parametrize("name", [rule.name for rule in RULES])
def test_every_rule_speaks_where_its_figures_call_for_it_and_nowhere_else(name):
    found, words = TRIGGERS[name]
    said = [advice for advice in advise(found) if advice.rule == name]
    assert said and words in said[0].sentence and said[0].sentence.endswith(".")
    assert not [advice for advice in advise(QUIET.get(name, facts())) if advice.rule == name]


def test_where_all_is_well_nothing_is_advised():
    assert advise(facts()) == [] and advise(facts(*two())) == []


def test_every_metric_of_the_gate_has_a_sentence():
    for row in CATEGORY_METRICS:
        details = {"shift": 5.0, "shift_a": 1.0, "shift_b": 2.0, **TURNED, **AREAS}
        found = facts(crack(metric(row.name, "warn", detail=details), counts=LOST))
        assert advise(found), row.name
    spoken = [name for rule in RULES for name in rule.metrics]
    assert len(set(spoken)) == len(spoken)


def test_with_several_categories_a_mask_rule_names_the_category_s_own_key():
    turned = metric("direction", detail=TURNED)
    said = advise(facts(crack(turned), replace(crack(), name="break")))
    assert "set pool.rules.crack.rotation: 35" in said[0].sentence


def test_a_blind_detector_is_said_once_for_all_categories():
    said = advise(facts(*two(ap_real=0.01, ap=0.02), ap_real=0.01))
    assert [advice.sentence for advice in said if advice.rule == "blind"] == [
        "the detector hardly finds anything: AP@0.5 0.010 with real photographs alone: "
        "raise compare.detect.exposures (or iterations)."
    ]


def test_what_time_cut_is_not_told_to_plan_fewer_steps_than_it_had_planned():
    cut = facts(crack(metric("tone", detail={"shift": 20.0})), training=Training(304, 8000, "time", 240.0))
    (said,) = [advice.sentence for advice in advise(cut) if advice.rule == "tone"]
    assert "train longer than the 304 steps that the time allowed" in said and "2000" not in said


def test_what_learns_nothing_is_not_told_to_train_longer():
    found = facts(crack(metric("tone", detail={"shift": -20.0})), training=None, arm="copy_paste")
    assert "train" not in advise(found)[0].remedy and "20 levels darker" in advise(found)[0].cause


@pytest.mark.parametrize(
    ("category", "changes", "call", "words"),
    [
        (crack(), {}, "use", "gets better; AP@0.5 +0.080, 95 % interval +0.020 to +0.200"),
        (crack(over_seeds=Interval(-0.1, -0.2, -0.05), over_objects=None), {}, "do not use", "gets worse"),
        (crack(metric("tone")), {}, "do not use", "fails the gate (tone)"),
        (crack(metric("tone", "too_few", have=2, need=6)), {}, "cannot tell", "you need 4 parts more"),
        (crack(over_objects=Interval(0.08, -0.02, 0.2)), {}, "cannot tell", "you need about"),
        (crack(over_objects=Interval(0.01, -0.01, 0.02)), {}, "cannot tell", "no difference"),
        (crack(over_seeds=Interval(0.08)), {"seeds": 1}, "cannot tell", "one seed only"),
        (crack(over_seeds=Interval(0.08, -0.1, 0.2)), {}, "cannot tell", "more seeds"),
        (crack(test_objects=3), {}, "cannot tell", "you need 2 parts more to test on"),
        (crack(ap_real=0.01, ap=0.02), {}, "cannot tell", "hardly finds it"),
        (crack(over_seeds=None), {"compared": False}, "cannot tell", "no detector was compared"),
    ],
)
def test_decisions(category, changes, call, words):
    found = decide(category, facts(category, **changes))
    assert found.call == call and words in found.sentence
    assert Decision.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_parts_needed_grow_with_the_interval_and_shrink_with_the_difference():
    assert needed(Interval(0.1, -0.1, 0.3), 6) == 18  # half as wide: four times the parts
    assert needed(Interval(0.2, 0.0, 0.4), 6) == 0
    assert needed(Interval(0.0, -0.1, 0.1), 6) == 18  # for a difference worth knowing


@pytest.fixture
def mixed():
    """Of three categories one helps, one fails and one has too few parts; a second arm is clean."""
    return Verdict(
        "",
        (
            verdict_of(
                facts(
                    crack(),
                    replace(crack(metric("tone", detail={"shift": 20.0})), name="break", dropped=True),
                    replace(crack(metric("size", "too_few", have=4, need=6)), name="chip"),
                )
            ),
            verdict_of(facts(arm="copy_paste", training=None, choices=(Choice("crack", "copy_paste", "", (TRIAL,)),))),
        ),
    )


def test_the_paragraph_says_what_to_do_and_the_first_reason(mixed):
    said = paragraph(mixed.arms[0])
    assert said.startswith("Use the anomaly_gan photographs of crack: with them the detector gets better.")
    assert "Do not use the anomaly_gan photographs of break." in said
    assert "of chip help cannot be told: you need about 2 more parts." in said
    assert "First of all: chip: too few to say (4 of 6 parts" in said
    assert paragraph(verdict_of(facts(nothing_passed=True))).startswith(
        "Do not use the anomaly_gan photographs: nothing"
    )


def test_a_run_with_a_failed_category_ends_with_exit_code_1_and_says_so_last(mixed):
    end = closing(mixed)
    assert end.exit_code == 1
    assert end.lines[-1] == "The gate failed anomaly_gan: break (left out of the training sets). Exit code 1."
    assert any("break: do not use" in line for line in end.lines) and "  copy_paste: use crack" in end.lines
    clean = closing(Verdict("Fine.", mixed.arms[1:]))
    assert clean == Closing(("Fine.", "  " + mixed.arms[1].decisions[0].sentence), 0)


def test_where_a_figure_means_nothing_the_console_says_so_however_much_else_there_is_to_say():
    off = [metric(f"figure_{number}", "warn") for number in range(9)]
    dim = crack(*off, ap_real=0.01, ap=0.02, width_px=2.1)
    arm = verdict_of(facts(dim, seeds=1, sound_test=0))
    said = closing(Verdict("", (arm,))).lines
    for words in (
        "hardly finds it: AP@0.5",
        "2.1 px wide",
        "one training of each kind",
        "no sound photograph to test on",
    ):
        assert sum(words in line for line in said) == 1, words
        assert any(words in advice.sentence for advice in arm.advice)
    assert said[said.index("What can be done:") + 1].startswith("  crack: figure_0 is off")
    assert f"  and {len(arm.advice) - 6} more in the report" in said


def test_the_verdict_goes_to_json_and_back_and_closes_a_run_folder(mixed, tmp_path: Path):
    content = json.loads(json.dumps(mixed.to_json()))
    assert Verdict.from_json(content) == mixed and content["passed"] is False
    assert content["arms"][1]["choices"][0]["method"] == "copy_paste" and "choices" not in content["arms"][0]
    assert close_run(tmp_path) is None
    (tmp_path / "verdict.json").write_text(json.dumps(content))
    assert close_run(tmp_path) == closing(mixed)


def test_a_run_that_ends_before_its_report_still_says_what_its_gates_failed(tmp_path: Path):
    bad = GateResult("anomaly_gan", {}, {"crack": gate(metric("tone"))}, ["crack"])
    good = GateResult("copy_paste", {}, {"crack": gate()})
    for name, result in (("gate@anomaly_gan@prior", bad), ("gate@copy_paste", good)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(result.to_json()))
    assert close_gates(tmp_path, ["ingest", "gate@copy_paste"]) == Closing((), 0)
    end = close_gates(tmp_path, ["gate@anomaly_gan@prior", "gate@copy_paste", "export@copy_paste"])
    assert end.exit_code == 1
    assert end.lines == ("The gate failed anomaly_gan@prior: crack (left out of the training sets). Exit code 1.",)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"image_size": 256}, "leave compare.detect.image_size out"),
        ({"image_size": 640, "size_chosen": True}, "compare.detect.view: tiles"),
        ({"image_size": None}, "a higher resolution"),
    ],
)
def test_the_remedy_for_thin_defects_is_none_that_was_taken_already(seen, words):
    said = [advice.sentence for advice in advise(facts(crack(width_px=2.0), **seen)) if advice.rule == "thin"]
    assert len(said) == 1 and words in said[0]


def test_an_arm_that_time_left_without_a_detector_says_so():
    found = facts(crack(over_seeds=None, over_objects=None), compared=False, not_reached=True)
    assert decide(found.categories[0], found).sentence.endswith("time was over before a detector was trained with it.")
