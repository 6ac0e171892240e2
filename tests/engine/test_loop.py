"""The loop's promises: it learns, it resumes bit for bit, it holds nets still, it stops at a NaN."""

from pathlib import Path

import pytest
import torch
from torch import nn

from anomaly_gan.core.errors import NumericalFailure
from anomaly_gan.engine.checkpoint import newest_checkpoint, save_checkpoint
from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import Update, learning_rate_factor


class LineTask:
    """Fits y = 2x with one weight, beside a judge that is held still; dropout draws from the global stream."""

    def __init__(self, poison_at: int = -1) -> None:
        torch.manual_seed(0)
        self.nets = {"line": nn.Sequential(nn.Linear(4, 1), nn.Dropout(0.1)), "judge": nn.Linear(1, 1)}
        self.optimizer = torch.optim.Adam(self.nets["line"].parameters(), lr=0.05)
        self.poison_at = poison_at
        self.seen: list[int] = []

    def forward(self, batch):
        x, step = batch
        self.seen.append(step)
        return x, self.nets["line"](x), step

    def updates(self):
        def losses(outputs):
            x, y, step = outputs
            error = (y - 2 * x.sum(1, keepdim=True)).square().mean() + 0 * self.nets["judge"](y).mean()
            return {"error": error * float("nan") if step == self.poison_at else error}

        return [Update("line", self.optimizer, losses, frozen=(self.nets["judge"],))]

    def after_step(self, step):
        pass


def batches(step):
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(step)), step


def train(task, folder: Path, steps=20, total=20):
    schedule = Schedule(steps=total, seed=3, log_every=5, checkpoint_every=4)
    if steps == total:
        return fit(task, batches, schedule, make_fabric("cpu"), folder)

    def cut(step):
        if step == steps:
            raise KeyboardInterrupt
        return batches(step)

    with pytest.raises(KeyboardInterrupt):
        fit(task, cut, schedule, make_fabric("cpu"), folder)
    return None


def test_an_interrupted_training_ends_with_the_same_weights_and_the_same_losses(tmp_path):
    whole = LineTask()
    train(whole, tmp_path / "whole")
    train(LineTask(), tmp_path / "cut", steps=11)
    resumed = LineTask()
    train(resumed, tmp_path / "cut")
    assert resumed.seen[0] == 8, "resumes from the checkpoint at 8, not from the start"
    assert torch.equal(whole.nets["line"][0].weight, resumed.nets["line"][0].weight)
    assert (tmp_path / "whole/losses.csv").read_bytes() == (tmp_path / "cut/losses.csv").read_bytes()


def test_the_loss_falls_and_the_judge_stays_untouched(tmp_path):
    task = LineTask()
    judge = task.nets["judge"].weight.clone()
    history = train(task, tmp_path, total=60, steps=60)
    assert history.rows[-1]["line/error"] < 0.6 * history.rows[0]["line/error"]
    assert torch.equal(judge, task.nets["judge"].weight)
    assert task.nets["judge"].weight.grad is None
    assert task.nets["judge"].weight.requires_grad, "held still only during the update"


def test_a_nan_stops_the_run_names_the_step_and_keeps_the_last_checkpoint(tmp_path):
    task = LineTask(poison_at=9)
    with pytest.raises(NumericalFailure, match="line: error is not finite at step 9"):
        train(task, tmp_path)
    state = newest_checkpoint(tmp_path / "checkpoints")
    assert state is not None and state["step"] == 8
    assert torch.isfinite(task.nets["line"][0].weight).all(), "the bad step was withheld"


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"step": step})
    newest = tmp_path / "step-0000003.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    state = newest_checkpoint(tmp_path)
    assert state is not None and state["step"] == 2
    assert len(list(tmp_path.glob("*.pt"))) == 2, "only the two newest are kept"


def test_the_learning_rate_warms_up_stays_and_falls_to_zero():
    factors = [learning_rate_factor(step, 100, warmup=4, constant_share=0.5) for step in range(100)]
    assert factors[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert factors[49] == 1.0 and factors[75] == 0.5 and factors[99] == pytest.approx(0.02)


def test_an_update_runs_in_its_phases_of_a_cycle():
    update = Update(
        "critic", torch.optim.SGD(nn.Linear(1, 1).parameters()), lambda outputs: {}, every=6, phases=(0, 1, 4)
    )
    assert [step for step in range(12) if update.runs_at(step)] == [0, 1, 4, 6, 7, 10]


def test_a_schedule_may_bring_its_own_rate(tmp_path):
    task = LineTask()
    fit(task, batches, Schedule(steps=6, seed=0, rate=lambda step: 0.5 ** (step // 2)), make_fabric("cpu"), tmp_path)
    assert task.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.25)
