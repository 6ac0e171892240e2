"""Where the course of a training is followed besides its own ``losses.csv``: TensorBoard, MLflow, Weights & Biases.

``ANOMALY_GAN_LOGGERS=tensorboard,mlflow`` says which; each has its own settings in variables of its own
(``MLFLOW_TRACKING_URI``, ``WANDB_MODE``). No setting of a run names them: a result does not hang on who watched.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lightning_fabric.loggers import TensorBoardLogger
from lightning_fabric.loggers.logger import Logger
from lightning_fabric.utilities.rank_zero import rank_zero_only

from ..core.errors import ConfigError
from ..core.resources import get_extra

WANTED = "ANOMALY_GAN_LOGGERS"
PROJECT = "anomaly-gan"


def loggers(logs: Path) -> list[Logger]:
    """The ones asked for, TensorBoard alone without the variable; ``logs``: folder for what lies in files.

    Raises:
        ConfigError: a name that is not in the table, or a package that is not installed.
    """
    names = [name.strip() for name in os.environ.get(WANTED, "tensorboard").split(",") if name.strip()]
    unknown = [name for name in names if name not in LOGGERS]
    if unknown:
        raise ConfigError(f"{WANTED}={unknown[0]}: unknown; known: {', '.join(LOGGERS)}")
    made = []
    for name in names:
        try:
            made.append(LOGGERS[name](logs))
        except ModuleNotFoundError as error:
            raise ConfigError(f"{WANTED}={name}: its package is not installed; {get_extra(name)}") from error
    return made


def _run_name(logs: Path) -> str:
    """Run and stage, such as ``bolts/train@anomaly_gan``."""
    return "/".join(logs.resolve().parts[-3:-1])


def _tensorboard(logs: Path) -> Logger:
    return TensorBoardLogger(root_dir=str(logs), name="", version="")


class _Book(Protocol):
    """One run in a tracking service."""

    def log(self, metrics: dict[str, float], step: int) -> None: ...
    def close(self, whole: bool) -> None: ...


class _Tracked(Logger):
    """Hands metrics on as they come, from the first process alone; the run begins with the first of them."""

    def __init__(self, begin: Callable[[], _Book]) -> None:
        self._begin = begin
        self._book: _Book | None = None

    @property
    def name(self) -> str:
        return PROJECT

    @property
    def version(self) -> None:
        return None

    def log_hyperparams(self, params: object, *_: object, **__: object) -> None:
        """Nothing: a run's configuration lies in its folder."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._book is None:
            self._book = self._begin()
        self._book.log(metrics, step or 0)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._book is not None:
            self._book.close(status == "success")


class _MlflowRun:
    def __init__(self, place: str, run_name: str) -> None:
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient(tracking_uri=place)
        found = self.client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else self.client.create_experiment(PROJECT)
        self.run_id = self.client.create_run(experiment, run_name=run_name).info.run_id

    def log(self, metrics: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        rows = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=rows)

    def close(self, whole: bool) -> None:
        self.client.set_terminated(self.run_id, "FINISHED" if whole else "FAILED")


class _WandbRun:
    def __init__(self, project: str, run_name: str, logs: Path) -> None:
        import wandb

        logs.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(project=project, name=run_name, dir=str(logs))

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.run.log(metrics, step=step)

    def close(self, whole: bool) -> None:
        self.run.finish(exit_code=0 if whole else 1)


def _mlflow(logs: Path) -> Logger:
    place = os.environ.get("MLFLOW_TRACKING_URI")
    if not place:
        raise ConfigError(f"{WANTED}=mlflow: say where, for example MLFLOW_TRACKING_URI=http://127.0.0.1:5000")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing goes anywhere else
    importlib.import_module("mlflow.tracking")
    return _Tracked(lambda: _MlflowRun(place, _run_name(logs)))


def _wandb(logs: Path) -> Logger:
    importlib.import_module("wandb")
    return _Tracked(lambda: _WandbRun(os.environ.get("WANDB_PROJECT", PROJECT), _run_name(logs), logs))


LOGGERS: dict[str, Callable[[Path], Logger]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
