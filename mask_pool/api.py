"""The public functions of the mask pool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anomaly_gan.core.stage_calls import dataset_of

if TYPE_CHECKING:
    from anomaly_gan.core.dataset import Dataset

    from .build.config import PoolConfig


def build_pool(data: Dataset, out: str | Path, config: PoolConfig | None = None, *, seed: int = 0) -> Dataset:
    """Build the mask pool: masks cut from real training defects, and experts' drawings where ``config`` names some.

    Args:
        data: what ``anomaly_gan.ingest`` gave; its training split alone is read.
        out: folder to write; a finished one of the same inputs is read, not made again.
        config: how many masks per category, how they are turned, deformed and placed; None: the defaults.
        seed: of every random choice.

    Returns:
        One image of the pool for each mask: ``extra["normal_file"]`` is the sound photograph it lies on.

    Raises:
        CheckFailed: something descends from the test split.
    """
    from anomaly_gan.core.stage import Context

    from .build.config import PoolConfig
    from .build.stage import run, source_keys

    config = config or PoolConfig()
    return dataset_of("pool", run, config, Context(seed, inputs={"ingest": data.folder}), out, source_keys(config))
