"""A detector whose time is over ends its training there, at the rate of an end, and is as usable as any."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anomaly_gan.core.time_budget import TimeBudget, TimeUp
from anomaly_gan.engine import workers
from anomaly_gan.engine.jobs import Sitting
from anomaly_gan.engine.loop import make_fabric
from detection.detectors.config import DetectConfig
from detection.evaluation.reading import read_detections
from detection.training import finetune, schedule

pytestmark = pytest.mark.usefixtures("one_thread")


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.mark.parametrize("name", ["mask_rcnn", "dense"])
def test_a_training_ends_with_its_time(
    name, write_dataset, tiny: DetectConfig, tiny_dense: DetectConfig, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(schedule, "TimeBudget", lambda seconds: TimeBudget(seconds, Ticking()))
    config = (tiny_dense if name == "dense" else tiny).model_copy(update={"iterations": 40, "time_budget": "5s"})
    data = write_dataset(tmp_path / "data").split("train")
    trained = finetune.train_detector(data, config, make_fabric("cpu"), tmp_path / "out", seed=0)
    assert 1 <= trained.report.iterations <= 5 and trained.report.ended_by_time
    assert not trained.net.training
    looked: list[int] = []

    def up_at_the_second() -> None:
        looked.append(1)
        if len(looked) == 2:
            raise TimeUp

    with pytest.raises(TimeUp):
        read_detections(trained.net, data, trained.categories, 64, torch.device("cpu"), on_image=up_at_the_second)
    assert len(looked) == 2


class TwoStepsAndATest:
    """A job that is asked for two steps, then looks at ten photographs."""

    steps = 2
    seen = 0

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        for _ in range(12):
            on_step()
            self.seen += 1


def test_in_one_process_a_test_is_ended_by_time_too_and_its_photographs_are_no_steps() -> None:
    jobs, looks = [TwoStepsAndATest(), TwoStepsAndATest()], []
    workers.run_here(jobs, Sitting(over=lambda: looks.append(1) or len(looks) > 18))
    assert [job.seen for job in jobs] == [12, 6]
