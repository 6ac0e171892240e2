"""Where the course of a training is followed besides its own ``losses.csv``: TensorBoard, MLflow, Weights & Biases.

``ANOMALY_GAN_LOGGERS=tensorboard,mlflow`` says which; each has its own settings in variables of its own
(``MLFLOW_TRACKING_URI``, ``WANDB_MODE``). No setting of a run names them: a result does not hang on who watched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.loggers.logger import Logger

from ..core.errors import ConfigError

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
            raise ConfigError(
                f"{WANTED}={name}: its package is not installed; uv sync --inexact --extra {name}, or leave it out"
            ) from error
    return made


def _run_name(logs: Path) -> str:
    """Run and stage, such as ``bolts/train@anomaly_gan``."""
    return "/".join(logs.resolve().parts[-3:-1])


def _tensorboard(logs: Path) -> Logger:
    return TensorBoardLogger(root_dir=str(logs), name="", version="")


def _mlflow(logs: Path) -> Logger:
    place = os.environ.get("MLFLOW_TRACKING_URI")
    if not place:
        raise ConfigError(f"{WANTED}=mlflow: say where, for example MLFLOW_TRACKING_URI=http://127.0.0.1:5000")
    from lightning.pytorch.loggers import MLFlowLogger

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing goes anywhere else
    return MLFlowLogger(experiment_name=PROJECT, run_name=_run_name(logs), tracking_uri=place)


def _wandb(logs: Path) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    logs.mkdir(parents=True, exist_ok=True)
    return WandbLogger(project=os.environ.get("WANDB_PROJECT", PROJECT), name=_run_name(logs), save_dir=str(logs))


LOGGERS: dict[str, Callable[[Path], Logger]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
