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


def followed(folder: Path) -> tuple[Path, dict[int, float]]:
    """A training of 20 steps: where its logs are, and the losses that losses.csv keeps, by step."""
    logs = folder / "bolts" / "train" / "logs"
    fit(
        Line(),
        lambda step: torch.full((4, 1), 1.0 + step),
        Schedule(steps=20, seed=3, log_every=5),
        make_fabric("cpu", logs=logs),
        logs.parent,
    )
    header, *rows = (line.split(",") for line in (logs.parent / "losses.csv").read_text().splitlines())
    return logs, {int(row[0]): float(row[header.index("line/error")]) for row in rows}


def test_tensorboard_hears_what_losses_csv_keeps(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs, kept = followed(tmp_path)
    told = EventAccumulator(str(logs)).Reload().Scalars("line/error")
    assert {entry.step: entry.value for entry in told} == pytest.approx(kept, rel=1e-4) and len(kept) == 4


def test_mlflow_hears_what_losses_csv_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    store = (tmp_path / "tracked").as_uri()
    monkeypatch.setenv(WANTED, "tensorboard, mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    logs, kept = followed(tmp_path)
    from mlflow.tracking import MlflowClient  # after its own switches are set

    client = MlflowClient(store)
    (experiment,) = [item for item in client.search_experiments() if item.name == "anomaly-gan"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "bolts/train"
    assert run.info.status == "FINISHED"
    told = client.get_metric_history(run.info.run_id, "line/error")
    assert {entry.step: entry.value for entry in told} == pytest.approx(kept, rel=1e-4) and len(kept) == 4
    assert list(logs.glob("events.out.tfevents*"))


def test_weights_and_biases_hears_what_losses_csv_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv(WANTED, "wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logs, kept = followed(tmp_path)
    (written,) = logs.glob("wandb/offline-run-*/*.wandb")
    content, place, told, names = written.read_bytes(), 7, {}, []
    while place < len(content):  # a header of seven bytes, then records: checksum, length, kind, content
        length = int.from_bytes(content[place + 4 : place + 6], "little")
        record = Record.FromString(content[place + 7 : place + 7 + length])
        place += 7 + length
        names += [record.run.display_name] if record.HasField("run") else []
        row = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
        told |= {int(row["_step"]): float(row["line/error"])} if row else {}
    assert names == ["bolts/train"] and told == pytest.approx(kept, rel=1e-4) and len(kept) == 4


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("mlfow", "known: tensorboard, mlflow, wandb"),
        ("wandb", "make extra NAME=wandb"),
        ("mlflow", "MLFLOW_TRACKING_URI="),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, says: str) -> None:
    monkeypatch.setenv(WANTED, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=says):
        loggers(tmp_path)
