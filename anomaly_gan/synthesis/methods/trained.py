"""``model.json`` of a generator: what its training says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.json_files import read_as, understood
from .config import TrainConfig

FILE = "model.json"
REMEDY = "train again: the file is damaged, or of an older version"


@dataclass(frozen=True)
class _Written:
    config: dict[str, Any]
    channels: int
    categories: list[str]
    severity: dict[str, list[list[float]]]
    reading: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Trained:
    """``channels``: 1 or 3, of the photographs it paints. ``severity``: category -> (log ratio, standard deviation) of
    each training defect. ``reading``: how its photographs were read; None where an older version did not say."""

    config: TrainConfig
    channels: int
    categories: list[str]
    severity: dict[str, list[list[float]]]
    reading: Mapping[str, Any] | None = None


def read_trained(folder: Path) -> Trained:
    """Of the folder of a finished training.

    Raises:
        InputError: A13, FORMAT, the file has changed or cannot be understood.
        OSError: there is none.
    """
    path = folder / FILE
    written = read_as(path, _Written, REMEDY)
    with understood(path, REMEDY):
        return Trained(**{**vars(written), "config": TrainConfig(**written.config)})
