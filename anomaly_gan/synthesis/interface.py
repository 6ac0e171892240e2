"""What a generation method is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.dataset import Annotation, Dataset, ImageRecord
from .conditions import Control

if TYPE_CHECKING:
    pass


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
    """What a method may look at: the training split alone, the pool, and the training it paints with. ``control``:
    what methods that paint are asked for; the others leave it. ``exemplars``: a method that paints from exemplars cuts
    them from this split anew, instead of taking those its training kept (sham pastes)."""

    train: Dataset
    pool: Dataset
    seed: int
    device: str
    trained: Path | None = None
    control: Control = field(default_factory=Control)
    exemplars: Dataset | None = None


Generate = Callable[[list[PoolItem], int], list[Sample]]
"""(pool items, attempt number) -> one sample each; the same arguments give the same bytes on a CPU."""
