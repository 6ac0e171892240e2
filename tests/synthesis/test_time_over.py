"""Every long stage, told by its watch that the time is over, ends with what is done by then and says so."""

import json

import pytest
from ticking import Ticking

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.manifest import read_manifest
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.core.time_budget import TimeBudget
from anomaly_gan.engine import loop
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.label_check import stage as checking
from anomaly_gan.synthesis.label_check.config import LabelCheckConfig
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.training import stage as train
from detection.one_class.synthetic_filter import train_stage as one_class
from detection.one_class.synthetic_filter.config import OneClassStageConfig

EXACT = {"precision": "32-true"}
NETS = {"size": 32, "local_size": 8, "base_width": 4, "depth": 2, "widths": (8, 8, 8), "features": 8, "scales": (1,)}
AWARE = {"aware_width": 4, "aware_size": 8, "aware_steps": 4, "batch": 4, "sample_every": 0, "threads": 1}
CAE = {"cae": {"size": 16, "epochs": 50, "batch": 8, **EXACT}}
STAGES = {
    "train": (train.run, TrainConfig(steps=50, **NETS, **AWARE, **EXACT)),
    "label_check": (
        checking.run,
        LabelCheckConfig(folds=2, size=32, base_width=8, depth=2, steps=50, batch=4, **EXACT),
    ),
    "generate": (generate.run, GenerateConfig(method="copy_paste", count=8)),
    "gate": (gate.run, GateConfig(method="copy_paste", repeats=4, min_n=5, judged_n=5)),
    "one_class": (one_class.run, OneClassStageConfig(detectors=("cae",), settings=CAE, false_alarm=0.5)),
}


@pytest.fixture(scope="module")
def inputs(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "generate@copy_paste"
    context = Context(3, "cpu", small_run.inputs())
    run_stage(folder.name, generate.run, GenerateConfig(method="copy_paste", count=8), context, folder)
    return {**small_run.inputs(), folder.name: folder}


def cut(name, inputs, folder, seconds):
    function, config = STAGES[name]
    watch = TimeBudget(seconds, Ticking()) if seconds else None
    run_stage(name, function, config, Context(3, "cpu", inputs, watch), folder)
    return json.loads((folder / "metrics.json").read_text())


DONE = {
    "train": lambda folder, metrics: (folder / "generator.safetensors").is_file() and 1 <= metrics["steps"] <= 20,
    "label_check": lambda folder, metrics: (
        (folder / "segmenter-1.safetensors").is_file() and 1 <= metrics["steps"] <= 20
    ),
    "generate": lambda folder, metrics: (
        2 <= metrics["count"] < metrics["planned"] == 16
        and len(load_dataset(folder).images) == metrics["count"]
        and max(metrics["per_category"].values()) - min(metrics["per_category"].values()) <= 1
    ),
    "gate": lambda folder, metrics: (
        set(metrics["not_judged"]) == {"spot", "scratch"}
        and 2 <= metrics["counts"]["wanted"] == 16 - sum(metrics["not_judged"].values())
        and len(load_dataset(folder).images) == metrics["counts"]["accepted"]
    ),
    "one_class": lambda folder, metrics: (folder / "cae" / "model.safetensors").is_file() and metrics["steps"] <= 20,
}
"""What a usable product is."""


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_whose_time_is_over_ends_with_what_is_done(name, inputs, tmp_path, toy_extractors):
    metrics = cut(name, inputs, tmp_path / name, 12.0)
    assert metrics["ended_by"] == "time" and DONE[name](tmp_path / name, metrics)
    assert "time_budget: 12s" in (tmp_path / name / "config.yaml").read_text()
    function, config = STAGES[name]
    key = read_manifest(tmp_path / name)["key"]
    limited = config.model_copy(update={"time_budget": "12s"})
    assert not run_stage(name, function, limited, Context(3, "cpu", inputs), tmp_path / name), "fresh under its time"
    assert read_manifest(tmp_path / name)["key"] == key


@pytest.mark.parametrize("name", ["label_check", "generate", "gate"])
def test_a_watch_that_never_rings_changes_nothing(name, inputs, tmp_path, toy_extractors, monkeypatch):
    monkeypatch.setitem(STAGES, "label_check", (checking.run, STAGES["label_check"][1].model_copy(update={"steps": 2})))
    without, within = (cut(name, inputs, tmp_path / place / name, each) for place, each in (("a", 0), ("b", 1e9)))
    assert without == within and "ended_by" not in within
    manifests = [read_manifest(tmp_path / place / name) for place in ("a", "b")]
    assert manifests[0]["key"] == manifests[1]["key"] and manifests[0]["files"] == manifests[1]["files"]


def test_what_time_ended_is_made_whole_where_there_is_more_of_it(inputs, tmp_path):
    cut("generate", inputs, tmp_path / "generate", 4.0)
    metrics = cut("generate", inputs, tmp_path / "generate", 0)
    assert metrics["count"] == 16 and "ended_by" not in metrics


def test_a_resumed_check_still_says_that_time_ended_one_of_its_trainings(inputs, tmp_path, monkeypatch):
    real, calls = checking.fit, []

    def second_dies(*arguments, **names):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **names)

    with monkeypatch.context() as patch:
        patch.setattr(checking, "fit", second_dies)
        with pytest.raises(KeyboardInterrupt):
            cut("label_check", inputs, tmp_path / "label_check", 12.0)
    assert cut("label_check", inputs, tmp_path / "label_check", 1e9)["ended_by"] == "time"
    assert len(list((tmp_path / "label_check").rglob(loop.ENDED))) == 1
