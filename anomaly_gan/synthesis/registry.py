"""The generation methods: a literal table and the contract every row keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..core.config import nearest
from ..core.errors import ConfigError
from ..core.records import Annotation, Dataset, ImageRecord


@dataclass(frozen=True)
class PoolItem:
    """One mask of the pool on its normal photograph.

    ``image`` is the pool's record (``extra["normal_file"]``, ``extra["category"]``); ``annotations`` are its
    instances in the frame of that photograph.
    """

    image: ImageRecord
    annotations: list[Annotation]


@dataclass(frozen=True)
class Sample:
    """One synthetic photograph: uint8 pixels, its instances (category id, mask_01), and how it came about.

    ``base`` is the untouched photograph it was painted on (None where every pixel may differ).
    """

    pixels: np.ndarray
    instances: list[tuple[int, np.ndarray]]
    provenance: dict[str, Any] = field(default_factory=dict)
    base: np.ndarray | None = None


@dataclass(frozen=True)
class MethodInputs:
    """What a method may look at: the training split alone, the pool, and its own trained folder."""

    train: Dataset
    pool: Dataset
    seed: int
    device: str
    trained: Path | None = None


Generate = Callable[[list[PoolItem], int], list[Sample]]
"""(pool items, attempt number) -> one sample each; the same arguments give the same bytes on a CPU."""


@dataclass(frozen=True)
class Method:
    """A row: ``opener`` is ``module:function`` taking MethodInputs, returning Generate; torch stays unimported."""

    opener: str
    trainable: bool = False

    def open(self, inputs: MethodInputs) -> Generate:
        module, _, name = self.opener.partition(":")
        return getattr(import_module(module), name)(inputs)


METHODS = {
    "geometric": Method("anomaly_gan.synthesis.methods.geometric:open_method"),
    "copy_paste": Method("anomaly_gan.synthesis.methods.copy_paste:open_method"),
    "anomaly_gan": Method("anomaly_gan.synthesis.methods.anomaly_gan:open_method", trainable=True),
}


def method(name: str) -> Method:
    """The row of that name.

    Raises:
        ConfigError: no such method; the nearest name is offered.
    """
    if name not in METHODS:
        raise ConfigError(f"method: no method {name!r}{nearest(name, METHODS)}")
    return METHODS[name]
