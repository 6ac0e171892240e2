"""Per category one method, or none, by what a probe and the gate's checks say of it on the training split."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.stage import Context
from anomaly_gan.core.time_budget import TimeBudget
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.plan import plan
from anomaly_gan.synthesis.choice import stage as choose
from anomaly_gan.synthesis.choice.config import ChooseConfig
from anomaly_gan.synthesis.choice.decide import decide, sentence
from anomaly_gan.synthesis.choice.result import Choice, Trial
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig

GAN, BARE, PASTE = "anomaly_gan", "exemplar", "copy_paste"


def trial(method, auroc, accepted=1.0):
    return Trial(
        method, 40, accepted, auroc, *(None if auroc is None else round(auroc + off, 4) for off in (-0.1, 0.1))
    )


@pytest.mark.parametrize(
    ("trials", "taken"),
    [
        ([trial(GAN, 0.60), trial(BARE, 0.58), trial(PASTE, 0.57)], GAN),  # hardly better: the one named first
        ([trial(GAN, 0.90), trial(BARE, 0.62), trial(PASTE, 0.60)], BARE),
        ([trial(GAN, 0.90), trial(BARE, 0.80), trial(PASTE, 0.60)], PASTE),
        ([trial(GAN, 0.50, 0.4), trial(BARE, 0.80), trial(PASTE, 0.95)], BARE),  # what the checks refuse is no gain
        ([trial(GAN, 0.50, 0.4), trial(BARE, 0.50, 0.3), trial(PASTE, 0.5, 0.0)], "none"),
        ([trial(GAN, None, 0.7), trial(BARE, None, 0.9), trial(PASTE, None, 0.9)], BARE),
        ([trial(GAN, 0.48), trial(BARE, 0.35), trial(PASTE, 0.30)], GAN),  # below 0.5 a probe tells nothing either
    ],
)
def test_the_first_is_taken_unless_another_is_clearly_less_told_apart(trials, taken):
    found = decide("spot", trials)
    assert found.method == taken and all(one.method in sentence(found) for one in trials)
    assert Choice.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_names_that_are_no_choice_are_refused():
    for content in ({"methods": ["geometric"]}, {"categories": {"spot": "cyclegan"}}, {"methods": []}):
        with pytest.raises(ConfigError):
            build(ChooseConfig, content, "choose")


@pytest.fixture(scope="module")
def context(small_run, trainings):
    return Context(5, "cpu", {**small_run.inputs(), "train@anomaly_gan": trainings("anomaly_gan")})


@pytest.fixture(scope="module")
def chosen(context, tmp_path_factory):
    """What the run decides of three methods, and what is overridden."""
    out = tmp_path_factory.mktemp("choose")
    metrics = choose.run(ChooseConfig(count=10, categories={"scratch": "none"}), context, out)
    return out, metrics["categories"]


def test_the_run_decides_by_its_figures_and_says_which(chosen, context, tmp_path, capsys):
    """Three steps of training paint noise: a probe sees it, and copies of real defects are taken. Time cuts it."""
    out, found = chosen
    assert [one["method"] for one in found["spot"]["trials"]] == [GAN, BARE, PASTE]
    assert found["spot"]["method"] in (BARE, PASTE)
    by_the_user = {"category": "scratch", "method": "none", "why": "set in choose.categories", "trials": []}
    assert found["scratch"] == by_the_user
    assert json.loads((out / "choice.json").read_text()) == {name: one["method"] for name, one in found.items()}
    over = replace(context, deadline=TimeBudget(1.0, before=2.0))
    cut = choose.run(ChooseConfig(count=10, categories={"scratch": "none"}), over, tmp_path)
    again = choose.run(ChooseConfig(count=choose.LEAST, categories={"scratch": "none"}), context, tmp_path)
    assert cut == {"ended_by": "time", "painted": choose.LEAST, "planned": 10, **again}
    said = capsys.readouterr().err
    assert (
        f"choose spot: {cut['categories']['spot']['method']}; " in said
        and "choose scratch: nothing is generated" in said
    )


def test_each_category_is_painted_by_its_own_method_and_one_of_none_is_left_out(chosen, context, tmp_path):
    out, found = chosen
    inputs = {**context.inputs, "choose": out}
    generate.run(GenerateConfig(method="best", count=4), Context(5, "cpu", inputs), tmp_path / "made")
    made = load_dataset(tmp_path / "made")
    assert {image.extra["category"] for image in made.images} == {"spot"} and len(made.images) == 4
    assert {image.extra["provenance"]["method"] for image in made.images} == {found["spot"]["method"]}
    judged = Context(5, "cpu", {**inputs, "generate@best": tmp_path / "made"})
    config = GateConfig(method="best", min_n=4, verdict_n=4, repeats=2, artefact=0)
    metrics = gate.run(config, judged, tmp_path / "gate")
    assert set(metrics["categories"]) == {"spot"}
    with pytest.raises(ConfigError, match="no category 'crack'"):
        choose.run(ChooseConfig(categories={"crack": "none"}), context, tmp_path / "c")


def test_a_category_without_a_choice_is_named(small_run, context, tmp_path):
    with pytest.raises(InputError, match="the run has no choice"):
        generate.run(GenerateConfig(method="best", count=2), context, tmp_path / "none")
    (tmp_path / "choice.json").write_text("{}")
    inputs = Context(5, "cpu", {**context.inputs, "choose": tmp_path})
    with pytest.raises(InputError, match="no method was chosen"):
        generate.run(GenerateConfig(method="best", count=2), inputs, tmp_path / "made")


def test_only_an_arm_that_chooses_reads_the_choice():
    def steps(*arms):
        config = RunConfig(**{"data": {"root": "x"}, "compare": {"arms": ["none", *arms]} if arms else {}})
        return {step.name: step for step in plan(config)}

    with_it, without = steps("best", "copy_paste"), steps("copy_paste")
    assert steps().keys() >= {"choose", "generate@best"}  # by default
    assert "choose" not in without and "choose" in with_it and "train@anomaly_gan" in with_it
    for name in ("generate", "gate"):
        assert "choose" in with_it[f"{name}@best"].inputs
        assert with_it[f"{name}@copy_paste"].inputs == without[f"{name}@copy_paste"].inputs


def test_a_copy_belongs_to_the_object_it_was_copied_from(small_run, context, monkeypatch):
    """Of a painted defect the probe is told the object its mask and texture came from, not the photograph's."""
    inputs = generate.method_inputs(PASTE, context)
    item = generate.pool_items(inputs.pool)["spot"][0]
    sample = choose.open_part(PASTE, inputs)([item], 0)[0]
    row, owner = choose._row(sample, item, "the photograph's")
    assert owner == sample.provenance["donors"][0]["group"] and np.isfinite(row).all()
