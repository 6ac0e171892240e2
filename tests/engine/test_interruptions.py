"""A training stopped by signals or many times over ends as the undisturbed one; what takes no checkpoint stops it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import anomaly_gan.cli.main as command_line
from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.engine.checkpoint import newest_checkpoint
from anomaly_gan.engine.ema import add_average, follow
from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import Update

STEPS = 120
NOBODY = 65534


class PlaneTask:
    """One weight vector with Adam, an average that follows it, and dropout, which draws from the global stream."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.nets: dict[str, nn.Module] = {"generator": nn.Sequential(nn.Linear(4, 1), nn.Dropout(0.2))}
        add_average(self.nets)
        self.optimizer = torch.optim.Adam(self.nets["generator"].parameters(), lr=0.05)

    def forward(self, batch):
        return batch, self.nets["generator"](batch)

    def updates(self):
        return [Update("plane", self.optimizer, lambda out: {"error": (out[1] - out[0].sum(1, True)).square().mean()})]

    def after_step(self, step):
        follow(self.nets, 0.9, step)


def batches(step: int) -> torch.Tensor:
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(step))


def train(folder: Path, shown: Callable[[int], torch.Tensor] = batches) -> None:
    """The whole state at the end, written as the newest checkpoint is: nets, average, optimiser, losses."""
    task = PlaneTask()
    fit(task, shown, Schedule(steps=STEPS, seed=3, log_every=5, checkpoint_every=4), make_fabric("cpu"), folder)
    torch.save([task.nets["generator"].state_dict(), task.nets["average"].state_dict()], folder / "nets.pt")
    torch.save(task.optimizer.state_dict(), folder / "adam.pt")


def left(folder: Path) -> dict[str, bytes]:
    names = ("nets.pt", "adam.pt", "losses.csv")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return left(folder)


@pytest.mark.parametrize("times", [1, 10, 100])
def test_a_training_interrupted_many_times_ends_with_the_same_state(tmp_path, whole, times):
    cuts = iter([STEPS * (at + 1) // (times + 1) for at in range(times)])
    stopped, cut = 0, next(cuts)

    def shown(step):
        if cut is not None and step >= cut:
            raise KeyboardInterrupt
        return batches(step)

    while True:
        try:
            train(tmp_path, shown)
            break
        except KeyboardInterrupt:
            stopped, cut = stopped + 1, next(cuts, None)
    assert stopped == times and left(tmp_path) == whole


SIGNALS = {
    "SIGTERM": ([signal.SIGTERM], 143),
    "Ctrl-C": ([signal.SIGINT], 130),
    "Ctrl-C twice": ([signal.SIGINT, signal.SIGINT], 130),
    "closed terminal": ([signal.SIGHUP], 129),
    "kill -9": ([signal.SIGKILL], -9),
}


@pytest.mark.parametrize("name", list(SIGNALS))
def test_a_signal_ends_a_training_which_then_goes_on_to_the_same_state(tmp_path, whole, name):
    sent, wanted = SIGNALS[name]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        sys.stderr = (tmp_path / "said").open("w", buffering=1)

        def shown(step):
            if step == 50:
                os.write(write, b"x")
                time.sleep(60)
            return batches(step)

        command_line.app = lambda **_: train(tmp_path / "t", shown)  # type: ignore[assignment]
        try:
            command_line.main()
        except SystemExit as done:
            os._exit(int(done.code or 0))
        finally:
            os._exit(99)
    assert os.read(read, 1) == b"x"
    for number in sent:
        os.kill(child, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == wanted
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert "Traceback" not in said and ("nothing is lost" in said) is (wanted > 0), said
    state = newest_checkpoint(tmp_path / "t" / "checkpoints")
    assert state is not None and state["step"] == 48, "what stood in the last checkpoint"
    train(tmp_path / "t")
    assert left(tmp_path / "t") == whole


def in_fork_as_nobody(work: Callable[[], None]) -> int:
    """Exit code of ``work`` by a user who may write nothing of ours: root may write everywhere."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            code = 0
        except EnvironmentFailure as refusal:
            code = refusal.exit_code if "checkpoints" in str(refusal) and "\n" not in str(refusal) else 98
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_folder_that_takes_no_checkpoint_stops_the_training():
    home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        home.chmod(0o777)
        (home / "t" / "checkpoints").mkdir(parents=True)
        (home / "t").chmod(0o777)
        (home / "t" / "checkpoints").chmod(0o555)
        assert in_fork_as_nobody(lambda: train(home / "t")) == EnvironmentFailure.exit_code
        assert not list((home / "t" / "checkpoints").iterdir())
        assert not (home / "t" / "nets.pt").exists(), "it did not go on as if it had been saved"
        (home / "t" / "checkpoints").chmod(0o777)
        assert in_fork_as_nobody(lambda: train(home / "t")) == 0, "the same command, where it may write"
    finally:
        shutil.rmtree(home)
