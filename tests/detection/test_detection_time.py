"""A detector whose time is over ends its training there, at the rate of an end, and is as usable as any."""

from pathlib import Path

import pytest

from anomaly_gan.core.time_budget import TimeBudget
from anomaly_gan.engine.loop import make_fabric
from detection.detectors.config import DetectConfig
from detection.training import dense_finetune, finetune

pytestmark = pytest.mark.usefixtures("one_thread")


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.mark.parametrize(("name", "room"), [("mask_rcnn", finetune), ("dense", dense_finetune)])
def test_a_training_ends_with_its_time(
    name, room, write_dataset, tiny: DetectConfig, tiny_dense: DetectConfig, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(room, "TimeBudget", lambda seconds: TimeBudget(seconds, Ticking()))
    config = (tiny_dense if name == "dense" else tiny).model_copy(update={"iterations": 40, "time_budget": "5s"})
    data = write_dataset(tmp_path / "data").split("train")
    trained = finetune.train_detector(data, config, make_fabric("cpu"), tmp_path / "out", seed=0)
    assert 1 <= trained.report["iterations"] <= 5 and trained.report["ended_by"] == "time"
    assert not trained.net.training
