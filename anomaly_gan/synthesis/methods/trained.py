"""``model.json`` of a generator: what its training says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.json_files import read_as
from .config import TrainConfig

FILE = "model.json"


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
    return read_as(folder / FILE, Trained, "train again: the file is damaged, or of an older version")
