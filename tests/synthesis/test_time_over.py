"""Every long stage, told by its watch that the time is over, ends with what is done by then and says so."""

import json
import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
from ticking import Ticking

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.images import write_png
from anomaly_gan.core.manifest import read_manifest
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.core.time_budget import TimeBudget, TimeUp
from anomaly_gan.engine import loop
from anomaly_gan.ingestion import stage as ingest
from anomaly_gan.ingestion.config import IngestConfig
from anomaly_gan.report.verdict.decide import decide
from anomaly_gan.report.verdict.facts import CategoryFacts, Facts
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate import keeper
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import ExportConfig, GateConfig
from anomaly_gan.synthesis.gate.results import CategoryResult
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig
from anomaly_gan.synthesis.label_check import stage as checking
from anomaly_gan.synthesis.label_check.config import LabelCheckConfig
from anomaly_gan.synthesis.methods.config import TrainConfig
from anomaly_gan.synthesis.training import stage as train
from detection.one_class.synthetic_filter import train_stage as one_class
from detection.one_class.synthetic_filter.config import OneClassStageConfig
from mask_pool.build import stage as pool
from mask_pool.build.config import PoolConfig

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
    "gate": (gate.run, GateConfig(method="copy_paste", repeats=4, min_n=5, verdict_n=5)),
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


def test_figures_that_time_left_unmeasured_are_no_verdict(inputs, tmp_path, toy_extractors, monkeypatch):
    whole = Ticking()
    monkeypatch.setattr(keeper.Keeper, "category", looked_at_in_no_time(keeper.Keeper.category, whole))
    folder, (function, config) = tmp_path / "gate", STAGES["gate"]
    run_stage("gate", function, config, Context(3, "cpu", inputs, TimeBudget(45.0, whole)), folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["not_judged"] == {} and metrics["ended_by"] == "time"
    first, second = metrics["categories"].values()
    assert metrics["not_measured"] == [list(metrics["categories"])[1]] and "tone" in first["metrics"]
    assert second["verdict"] == "too_few" and "time was over before its figures were measured" in second["sentence"]
    said = decide(CategoryFacts("b", CategoryResult.from_json("b", second)), Facts("copy_paste"))
    assert said.call == "cannot tell" and said.why == "time was over before its figures were measured"


def looked_at_in_no_time(real, clock):
    """Photograph by photograph, while the clock stands still."""

    def category(*arguments):
        before = clock.now
        result = real(*arguments[:3])
        clock.now = before
        return result

    return category


def test_a_pool_whose_time_is_over_is_the_pool_of_a_smaller_count(small_run, tmp_path):
    inputs = {"ingest": small_run.folder / "ingest"}
    config, watch = PoolConfig(count=9), TimeBudget(4.0, Ticking())
    run_stage("pool", pool.run, config, Context(3, "cpu", inputs, watch), tmp_path / "cut")
    metrics = json.loads((tmp_path / "cut" / "metrics.json").read_text())
    count = metrics["count"]
    assert metrics["ended_by"] == "time" and 1 <= count < metrics["planned"] == 9
    small = config.model_copy(update={"count": count})
    assert not run_stage("pool", pool.run, small, Context(3, "cpu", inputs), tmp_path / "cut"), "fresh as that"
    run_stage("pool", pool.run, small, Context(3, "cpu", inputs), tmp_path / "small")
    places = tmp_path / "cut", tmp_path / "small"
    files = [{one.relative_to(it): one.read_bytes() for one in (it / "images").rglob("*.png")} for it in places]
    assert files[0] == files[1] and len(files[0]) == 2 * count
    assert load_dataset(places[0]).annotations == load_dataset(places[1]).annotations


def test_photographs_are_read_whole_or_refused_as_soon_as_that_can_be_told(tmp_path):
    for number in range(20):
        write_png(tmp_path / "photos" / "train" / "good" / f"{number}.png", np.full((16, 16), number, np.uint8))
    config = IngestConfig(root=str(tmp_path / "photos"), format="mvtec")
    with pytest.raises(TimeUp, match=r"^\d of 20 photographs .* about \d+ s, and 10 s were left"):
        ingest.run(config, Context(3, inputs={}, deadline=TimeBudget(10.0, Ticking())), tmp_path / "out")


def test_time_that_is_gone_counts_on_in_another_process():
    watch = pickle.loads(pickle.dumps(TimeBudget(60.0, time.monotonic, before=20.0)))
    assert 20 <= watch.spent() < 30 and watch.seconds == 60


def test_an_export_is_whole_or_none(inputs, tmp_path, toy_extractors):
    cut("gate", inputs, tmp_path / "gate@copy_paste", 0)
    context = Context(3, "cpu", {**inputs, "gate@copy_paste": tmp_path / "gate@copy_paste"})
    watch = replace(context, deadline=TimeBudget(5.0, Ticking()))
    with pytest.raises(TimeUp):
        run_stage("export", export.run, ExportConfig(method="copy_paste"), watch, tmp_path / "export")
    assert read_manifest(tmp_path / "export") is None
    run_stage("export", export.run, ExportConfig(method="copy_paste"), context, tmp_path / "export")
    assert load_dataset(tmp_path / "export").images
