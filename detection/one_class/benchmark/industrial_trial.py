"""A cell of an industrial set: one fold, whole objects on one side, the threshold from objects of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.files import sha256_bytes, sha256_file
from anomaly_gan.core.seeding import rng_for

from .config import BenchmarkConfig
from .splits import Trial, thin

FOLDS = {"magnetic_tile": 4, "mvtec_screw": 4, "rsdds": 1}
SHARED_FROM = 100
"""Cells of the split ``photographs`` are numbered from here, the fold added."""
NORMAL = {"magnetic_tile": "free", "mvtec_screw": "good", "rsdds": "normal"}


def folds_of(config: BenchmarkConfig) -> list[int]:
    """The folds to run: all that the set has, or those of ``data.folds``.

    Raises:
        ConfigError: ``--normal`` is given, or a fold is not there.
    """
    if config.normal is not None:
        raise ConfigError(f"--normal: {config.dataset} has one kind of normal; choose folds with --set data.folds=[0]")
    count = FOLDS[config.dataset]
    wanted = range(count) if config.data.folds is None else config.data.folds
    if any(not 0 <= fold < count for fold in wanted):
        raise ConfigError(f"data.folds: must be 0 to {count - 1}")
    return sorted(set(wanted))


def cells_of(config: BenchmarkConfig) -> list[tuple[int, str]]:
    """[(number, the table's name for it)]: folds of whole objects, and with ``photographs`` those of photographs."""
    folds, normal = folds_of(config), NORMAL[config.dataset]
    cells = [(fold, f"{normal}@fold{fold}") for fold in folds]
    if config.split() == "photographs":
        cells += [(SHARED_FROM + fold, f"{normal}@photographs{fold}") for fold in folds]
    return cells


def source_hash(config: BenchmarkConfig) -> str:
    """SHA-256 over the names and bytes of the set's files."""
    from .industrial import open_source

    source = open_source(config.dataset, _root(config))
    if source.place.is_file():
        return sha256_file(source.place)
    return sha256_bytes("\n".join(f"{name} {sha256_file(source.place / name)}" for name in source.names).encode())


def _root(config: BenchmarkConfig) -> Path:
    if config.data.root is None:
        raise ConfigError("data.root: not set; say --set data.root=DIR, the folder that the data lie in")
    return config.data.root


def industrial_trial(config: BenchmarkConfig, fold: int, size: int) -> Trial:
    """The images of one fold (``SHARED_FROM`` on: of photographs); the limits of ``data`` hold, drawn by the data set
    and fold alone."""
    from .industrial import load_industrial

    shared, fold = fold >= SHARED_FROM, fold % SHARED_FROM
    split = load_industrial(config.dataset, _root(config), size, fold, shared)
    rng = rng_for(0, "one_class", config.dataset, fold)
    learned = thin(
        np.arange(len(split.train_NCHW)), np.zeros(len(split.train_NCHW), np.int64), config.data.train_limit, rng
    )
    tested = thin(np.arange(len(split.test_NCHW)), split.test_labels, config.data.test_limit, rng)
    if config.protocol == "as_published":
        tested = np.concatenate([tested[split.test_labels[tested] == 0], tested[split.test_labels[tested] > 0]])
    kinds = split.test_labels[tested].astype(np.int64)
    names = (NORMAL[config.dataset], *split.categories)
    return Trial(
        split.train_NCHW[learned],
        split.held_out_NCHW,
        split.test_NCHW[tested],
        (kinds > 0).astype(np.int64),
        kinds,
        names,
    )
