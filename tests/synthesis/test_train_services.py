"""Training's services at the stage: two processes as one, a budget and a plateau in the records, batches by name."""

import csv
import json
from functools import partial

import numpy as np
import pytest
import torch

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import loop
from anomaly_gan.engine.distributed import looks_across_rows, over_ranks
from anomaly_gan.metrics.features import Backbone
from anomaly_gan.nets.aware import AwareNet
from anomaly_gan.synthesis.methods.config import TaskSetup, TrainConfig
from anomaly_gan.synthesis.pairs.windows import Framing, PairSource
from anomaly_gan.synthesis.registry import METHODS
from anomaly_gan.synthesis.training import stage as train
from anomaly_gan.synthesis.training.crop_kid import CropQuality

TINY = {
    "batch": 4,
    "size": 32,
    "local_size": 8,
    "base_width": 4,
    "depth": 2,
    "widths": (8, 8, 8),
    "features": 8,
    "patch_width": 4,
    "aware_width": 4,
    "aware_size": 8,
    "aware_steps": 2,
    "sample_every": 0,
    "scales": (1, 2),
    "threads": 1,
    "precision": "32-true",
}
SWITCHES = {"r1": 1.0, "r1_every": 2, "mode_seeking": 0.05, "consistency": 0.5}
"""All that might look across the rows of a batch."""


@pytest.fixture(scope="module")
def source(small_run):
    return PairSource(small_run.ingest.split("train"), small_run.pool, Framing(32, (1, 2)), 6, 3, gray=True)


def test_two_processes_that_share_a_batch_learn_what_one_learns_from_all_of_it(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SHARED", "ddp_fork")  # the command line spawns, which imports torch in each process
    monkeypatch.setattr(train, "Schedule", partial(loop.Schedule, log_every=1))
    losses = {}
    for devices in (1, 2):
        config = TrainConfig(steps=2, checkpoint_every=9, devices=devices, **TINY, **SWITCHES)
        out = tmp_path / f"train{devices}"
        run_stage("train@anomaly_gan", train.run, config, Context(5, "cpu", small_run.inputs()), out)
        with (out / "losses.csv").open() as stream:
            losses[devices] = [
                {name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(stream)
            ]
        assert (out / "generator.safetensors").is_file() and not (out / "checkpoints").exists()
    assert len(losses[1]) == len(losses[2]) == 2 and "r1/d1_normal" in losses[1][0]
    for one, two in zip(losses[1], losses[2], strict=True):
        assert one == pytest.approx(two, rel=1e-5, abs=1e-5, nan_ok=True)


def test_the_parts_of_a_batch_are_the_batch_and_its_rows_keep_their_neighbours(source):
    batch = source.batch(0)
    parts = [batch.part(number, 3) for number in range(3)]
    assert [len(part.category_B) for part in parts] == [2, 2, 2]
    for name in ("abnormal_mask_B1HW", "noise_B2HW"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
        assert torch.equal(torch.cat([part.rolled(name) for part in parts]), getattr(batch, name).roll(1, 0))
        assert torch.equal(batch.rolled(name), getattr(batch, name).roll(1, 0))
    assert over_ranks(batch.noise_B2HW) is batch.noise_B2HW, "one process is all there is"


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].trainable])
def test_a_method_that_looks_across_rows_is_refused_several_devices(name):
    config = TrainConfig(method=name, devices=2, **TINY)
    task = METHODS[name].build(
        TaskSetup(config, 3, 2, AwareNet(3, 4) if METHODS[name].aware else None, 0, torch.device("cpu"))
    )
    if name == "anomaly_gan":
        assert not any(map(looks_across_rows, task.nets.values()))
        return train.check_shareable(task, config)
    with pytest.raises(ConfigError, match=rf"devices: {name} cannot share a batch .*: \w+ has (batch n|a hist)"):
        train.check_shareable(task, config)


def test_devices_must_share_a_batch_evenly():
    with pytest.raises(ValueError, match="devices: a batch of 16 cannot be shared evenly by 3"):
        TrainConfig(devices=3)
    with pytest.raises(ValueError, match="at least 2 rows each"):
        TrainConfig(devices=16)


def test_a_batch_is_named_row_by_row(source, small_run):
    names = source.names(4)
    photographs = {image.file_name for image in small_run.ingest.split("train").images}
    masks = {image.file_name for image in small_run.pool.images}
    assert len(names) == 6 and names == source.names(4) != source.names(5)
    for name, category in zip(names, source.batch(4).category_B.tolist(), strict=True):
        real, normal, mask = name.split("[")[0], name.split(" with ")[1].split(" under ")[0], name.split(" under ")[1]
        assert {real, normal} <= photographs and mask in masks
        assert real.split("/")[0] == mask.split("/")[0] == ("spot", "scratch")[category]


TOY = Backbone("Toy", 8, lambda images: (torch.nn.functional.avg_pool2d(images / 255, 2).flatten(1), []))


class Showing:
    """A task whose generator paints by a function of the batch."""

    def __init__(self, paint):
        self.nets, self.paint = {"generator": torch.nn.Identity()}, paint

    def previews(self, batch):
        mask = batch.abnormal_mask_B1HW
        return {"generated": self.paint(batch), "mask": mask * 2 - 1}


def test_the_quality_of_real_defects_is_the_best_there_is(source):
    def quality(paint):
        return CropQuality(Showing(paint), source, ["spot", "scratch"], 30, TOY, torch.device("cpu"))()

    real = quality(lambda batch: batch.abnormal_BCHW)
    dark = quality(lambda batch: batch.normal_BCHW)
    assert list(real) == ["KID-Toy", "category spot", "category scratch"]
    assert real["KID-Toy"] == pytest.approx(np.mean([real["category spot"], real["category scratch"]]))
    assert real["KID-Toy"] < 0.1 * dark["KID-Toy"]
    assert dark == quality(lambda batch: batch.normal_BCHW), "always the same masks and photographs"


def test_budget_and_plateau_are_in_the_records_and_no_time_is(small_run, tmp_path, monkeypatch):
    ticks, step = iter(range(10_000)), loop.train_step
    now = [0.0]

    def slow(*arguments):
        now[0] = float(next(ticks))
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", slow)
    monkeypatch.setattr(train, "embedded_backbone", lambda device: TOY)
    monkeypatch.setattr(TrainConfig, "early_stop_windows", 8)
    config = TrainConfig(steps=50, time_budget="5s", early_stop=9, early_stop_every=1, **TINY)
    run_stage(
        "train@anomaly_gan",
        lambda *given: train.run(*given, clock=lambda: now[0]),
        config,
        Context(5, "cpu", small_run.inputs()),
        tmp_path / "out",
    )
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    # the aware network's fifth of 5 s ends with the second of its two steps, at 1 s; four more end at 5 s
    assert (metrics["steps"], metrics["ended_by"], metrics["planned_steps"]) == (4, "time", 50)
    rows = list(csv.DictReader((tmp_path / "out/quality.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"] and float(rows[0]["KID-Toy"]) > 0
    assert metrics["best"]["KID-Toy"] == pytest.approx(min(float(row["KID-Toy"]) for row in rows), rel=1e-5)
    assert (tmp_path / "out/generator.safetensors").is_file() and (tmp_path / "out/manifest.json").is_file()
    assert "seconds" not in (tmp_path / "out/metrics.json").read_text()
