"""Running one stage from a function call: what the public functions of all packages share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .dataset import Dataset, load_dataset
from .stage import Context, StageFunction, run_lock, run_stage

Device = Literal["auto", "cpu", "cuda"]
Pixels = NDArray[np.uint8]
"""A photograph as public functions take and give it: uint8 (H, W) or (H, W, 3), RGB."""


def run_into(
    stage: str,
    function: StageFunction,
    config: Config,
    context: Context,
    out: str | Path,
    outside: Mapping[str, str] | None = None,
) -> None:
    """Run one stage into a folder unless it is fresh, with the run around it locked.

    Args:
        stage: its name, as its key has it (``gate@anomaly_gan``).
        function: the stage.
        config: its section.
        context: seed, device and the folders it reads.
        out: folder to write; its parent is the run.
        outside: keys of what it depends on besides those folders, such as a source's content.

    Raises:
        RunBusy: another process works on this run.
    """
    folder = Path(out)
    with run_lock(folder.resolve().parent):
        run_stage(stage, function, config, context, folder, outside)


def dataset_of(
    stage: str,
    function: StageFunction,
    config: Config,
    context: Context,
    out: str | Path,
    outside: Mapping[str, str] | None = None,
) -> Dataset:
    """The data set that a stage writes.

    Args:
        stage: see :func:`run_into`, whose arguments these are.
        function: the stage.
        config: its section.
        context: seed, device and the folders it reads.
        out: folder to write.
        outside: keys of what it depends on besides those folders.

    Returns:
        The data set in ``out``.
    """
    run_into(stage, function, config, context, out, outside)
    return load_dataset(Path(out))
