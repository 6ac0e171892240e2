"""A training is followed where the environment says, and a wrong name or a missing package is said at once."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.engine.loggers import WANTED, loggers
from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import Update


class Line:
    """Fits y = 2x with one weight."""

    def __init__(self) -> None:
        self.nets = {"line": nn.Linear(1, 1)}
        self.optimizer = torch.optim.Adam(self.nets["line"].parameters(), lr=0.05)

    def forward(self, batch):
        return batch, self.nets["line"](batch)

    def updates(self):
        return [Update("line", self.optimizer, lambda xy: {"error": (xy[1] - 2 * xy[0]).square().mean()})]

    def after_step(self, step):
        pass


def test_mlflow_and_tensorboard_hear_what_losses_csv_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = (tmp_path / "tracked").as_uri()
    monkeypatch.setenv(WANTED, "tensorboard, mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    logs = tmp_path / "bolts" / "train" / "logs"
    fit(
        Line(),
        lambda step: torch.full((4, 1), 1.0 + step),
        Schedule(steps=20, seed=3, log_every=5),
        make_fabric("cpu", logs=logs),
        logs.parent,
    )
    from mlflow.tracking import MlflowClient  # after its own switches are set

    client = MlflowClient(store)
    (experiment,) = [item for item in client.search_experiments() if item.name == "anomaly-gan"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "bolts/train"
    assert run.info.status == "FINISHED"
    told = client.get_metric_history(run.info.run_id, "line/error")
    kept = (logs.parent / "losses.csv").read_text().splitlines()
    column = kept[0].split(",").index("line/error")
    assert [entry.step for entry in told] == [5, 10, 15, 20]
    assert [entry.value for entry in told] == pytest.approx(
        [float(row.split(",")[column]) for row in kept[1:]], rel=1e-4
    )
    assert list(logs.glob("events.out.tfevents*"))


@pytest.mark.parametrize(
    ("value", "says"),
    [("mlfow", "known: tensorboard, mlflow, wandb"), ("wandb", "--extra wandb"), ("mlflow", "MLFLOW_TRACKING_URI=")],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, says: str) -> None:
    monkeypatch.setenv(WANTED, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=says):
        loggers(tmp_path)
