"""Which images are learned from and which are tested, for one class and one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.seeding import rng_for

from ..configs.base import Split
from .config import BenchmarkConfig, DataConfig
from .data import Labelled

Indices = np.ndarray


@dataclass(frozen=True)
class Trial:
    """One cell's images, uint8 (N, C, H, W). ``labels`` (N,) 0 normal, 1 abnormal; ``kinds`` (N,) into ``names``.

    ``held_out``: normal images of the training side that a threshold is taken from; empty where there are none.
    """

    train_NCHW: np.ndarray
    held_out_NCHW: np.ndarray
    test_NCHW: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray
    names: tuple[str, ...]


def class_numbers(wanted: Sequence[int | str] | None, names: Sequence[str]) -> list[int]:
    """Numbers of the classes asked for by number or name, each once, in order; None: all.

    Raises:
        ConfigError: no such class.
    """
    numbers = []
    for item in range(len(names)) if wanted is None else wanted:
        if isinstance(item, str) and item in names:
            numbers.append(names.index(item))
        elif isinstance(item, int) and 0 <= item < len(names):
            numbers.append(item)
        else:
            raise ConfigError(f"--normal {item}: no such class (known: 0 to {len(names) - 1}, {', '.join(names)})")
    return sorted(set(numbers))


def title(number: int, split: Split, names: Sequence[str], categories: int = 1) -> str:
    """What the column ``normal`` says: the class, ``not CLASS`` where that one is left out, ``CLASS+3`` for four."""
    if split == "leave_one_out":
        return f"not {names[number]}"
    return names[number] if categories == 1 else f"{names[number]}+{categories - 1}"


def draw_trial(train: Labelled, test: Labelled, number: int, config: BenchmarkConfig, seed: int) -> Trial:
    """The images of one cell. Draws depend on the seed, the class and the data's order alone.

    Raises:
        InputError: K8, nothing is left to learn from or to test.
    """
    data, split = config.data, config.split()
    labels = np.concatenate([train.labels, test.labels])
    official_test = np.arange(len(labels)) >= len(train)
    rng = rng_for(seed, "one_class", config.dataset, split, number)
    normal = _normal_classes(number, split, len(train.names), data.categories, rng)
    abnormal = ~np.isin(labels, normal)
    if split == "transductive":
        learned = tested = _transductive(abnormal, labels, data, rng)
        held_out = np.zeros(0, np.int64)
    else:
        learned, tested = _inductive(abnormal, official_test, labels, data, rng)
        held_out, learned = _hold_out(learned, data.held_out if config.protocol == "honest" else 0.0, rng)
        held_out = thin(held_out, labels, data.test_limit // 2, rng_for(seed, "one_class", "held_out", number))
        learned = thin(learned, labels, data.train_limit, rng)
        learned = _contaminate(
            learned, abnormal & ~np.isin(np.arange(len(labels)), tested), data.contamination or 0.0, rng
        )
        tested = thin(tested, labels, data.test_limit, rng)
    # published scores may depend on the order of the test images (batch statistics, an LSTM along them)
    if config.protocol == "as_published" and data.test_order == "mixed":
        tested = rng_for(seed, "one_class", "test_order", number).permutation(tested)
    elif config.protocol == "as_published":
        tested = np.concatenate([tested[~abnormal[tested]], tested[abnormal[tested]]])
    if len(learned) < 2 or not len(tested):
        raise InputError(
            f"{config.dataset}[{train.names[number]}]",
            "K8",
            f"{len(learned)} images to learn from and {len(tested)} to test",
            "raise the limits",
        )
    images = _Both(train.images_NCHW, test.images_NCHW)
    return Trial(
        images[learned],
        images[held_out],
        images[tested],
        abnormal[tested].astype(np.int64),
        labels[tested],
        train.names,
    )


class _Both:
    """Training and test images under one running number, without a copy of all."""

    def __init__(self, first: np.ndarray, second: np.ndarray) -> None:
        self._first, self._second = first, second

    def __getitem__(self, indices: Indices) -> np.ndarray:
        early = indices < len(self._first)
        result = np.empty((len(indices), *self._first.shape[1:]), np.uint8)
        result[early] = self._first[indices[early]]
        result[~early] = self._second[indices[~early] - len(self._first)]
        return result


def _normal_classes(number: int, split: Split, classes: int, categories: int, rng: np.random.Generator) -> Indices:
    others = np.array([other for other in range(classes) if other != number])
    if split == "leave_one_out":
        return others
    if categories > classes - 1:
        raise ConfigError(f"data.categories: {categories} of {classes} classes normal leave none abnormal")
    return np.array([number, *rng.permutation(others)[: categories - 1]])


def _transductive(abnormal: np.ndarray, labels: np.ndarray, data: DataConfig, rng: np.random.Generator) -> Indices:
    """All normal images of both official parts and ``int(n rho / (1 - rho))`` outliers, in running order."""
    share = 0.1 if data.contamination is None else data.contamination
    normals, outliers = np.flatnonzero(~abnormal), np.flatnonzero(abnormal)
    count = min(int(len(normals) * share / (1 - share)), len(outliers))
    limit = data.transductive_limit
    if limit and len(normals) + count > limit:
        normals = rng.choice(normals, limit - int(limit * share), replace=False)
        count = int(limit * share)
    return np.sort(np.concatenate([normals, rng.choice(outliers, count, replace=False)]))


def _inductive(
    abnormal: np.ndarray, official_test: np.ndarray, labels: np.ndarray, data: DataConfig, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """(normal indices to learn from, indices to test)."""
    if data.pooled_test is None:
        learned = np.flatnonzero(~abnormal & ~official_test)
        tested = np.flatnonzero(official_test | (abnormal & data.all_abnormal))
    else:
        order = rng.permutation(np.flatnonzero(~abnormal))
        held = max(1, round(len(order) * data.pooled_test))
        learned = np.sort(order[held : held + round(len(order) * data.pooled_train)])
        tested = np.sort(np.concatenate([order[:held], np.flatnonzero(abnormal)]))
    if data.outlier_share is not None:
        normals, outliers = tested[~abnormal[tested]], tested[abnormal[tested]]
        count = min(len(outliers), max(1, round(len(normals) * data.outlier_share / (1 - data.outlier_share))))
        tested = np.sort(np.concatenate([normals, rng.choice(outliers, count, replace=False)]))
    return learned, tested


def _hold_out(learned: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """(held out, left to learn from)."""
    order = rng.permutation(learned)
    count = min(round(len(order) * share), len(order) - 2) if share else 0
    return np.sort(order[: max(count, 0)]), np.sort(order[max(count, 0) :])


def _contaminate(learned: Indices, candidates: np.ndarray, share: float, rng: np.random.Generator) -> Indices:
    """With ``int(n rho / (1 - rho))`` outliers of the training side among them."""
    pool = np.flatnonzero(candidates)
    count = min(int(len(learned) * share / (1 - share)), len(pool))
    return np.sort(np.concatenate([learned, rng.choice(pool, count, replace=False)])) if count else learned


def thin(indices: Indices, labels: np.ndarray, limit: int, rng: np.random.Generator) -> Indices:
    """At most ``limit`` of the indices (0: all), each class keeping its share to within one image."""
    if not limit or len(indices) <= limit:
        return indices
    order = rng.permutation(indices)
    order = order[np.argsort(labels[order], kind="stable")]
    places = np.floor((np.arange(limit) + 0.5) * len(order) / limit).astype(np.int64)  # evenly along the sorted classes
    return np.sort(order[places])
