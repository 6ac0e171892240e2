"""What a generation method is given, what it gives, and the base of its own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import model_validator

from ...core.config import Config, merge
from ...core.dataset import Annotation, Dataset, ImageRecord
from ..conditions import Control


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
    them from this split anew, instead of taking those its training kept (sham pastes). ``chosen``: category → method,
    for a method that chooses."""

    train: Dataset
    pool: Dataset
    seed: int
    device: str
    trained: Path | None = None
    control: Control = field(default_factory=Control)
    exemplars: Dataset | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)


Generate = Callable[[list[PoolItem], int], list[Sample]]
"""(pool items, attempt number) -> one sample each; the same arguments give the same bytes on a CPU."""


class MethodConfig(Config):
    """Base of a method's own settings, and what the training stage asks of them.

    A method's published values are the defaults of its class, so nothing that is given to another method reaches them.
    """

    @model_validator(mode="before")
    @classmethod
    def _parts_keep_their_defaults(cls, values: dict[str, object]) -> dict[str, object]:
        """``painter: {noise: true}`` changes the noise of this method's painter and nothing else of it."""
        return laid_over_defaults(cls, values)

    @property
    def paints_out(self) -> bool:
        """Whether batches also hold real defects' photographs with the defect inpainted."""
        return False

    @property
    def exemplars(self) -> bool:
        """Whether batches also hold real defects warped to the masks."""
        return False

    @property
    def steps_before(self) -> int:
        """Steps of whatever this method trains before its own nets."""
        return 0

    @property
    def sides(self) -> dict[str, int]:
        """Side in pixels of what nets see besides whole windows, by the setting that says it."""
        return {}


def laid_over_defaults(kind: type[Config], values: dict[str, object]) -> dict[str, object]:
    """``values`` with every part that is given as a mapping merged over the field's own default."""
    fields = kind.model_fields
    return {
        name: merge(fields[name].default.model_dump(), value)
        if name in fields and isinstance(value, dict) and isinstance(fields[name].default, Config)
        else value
        for name, value in values.items()
    }
