"""One held-out placement and the trial it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anomaly_gan.core.dataset import ImageRecord

from ..elements.real import Element


@dataclass(frozen=True, eq=False)
class Put:
    """A held-out real mask placed by ``arm`` with its corner at (x, y) of a normal; ``look`` (P,) is what is there."""

    arm: str
    real: Element
    normal: ImageRecord
    x: int
    y: int
    inside: bool
    look: np.ndarray

    @property
    def position(self) -> tuple[float, float]:
        h, w = self.real.bitmap.shape
        return (self.x + w / 2) / self.normal.width, (self.y + h / 2) / self.normal.height


@dataclass(frozen=True, eq=False)
class Trial:
    """Everything measured for one category; ``nats`` maps prior and sham to the comparisons of every
    mask, each the log ratio of the place in question and those of the random places."""

    category: str
    real_masks: list[Element]
    looks: np.ndarray
    scale: np.ndarray
    inside: np.ndarray
    puts: list[Put]
    nats: dict[str, list[list[tuple[float, np.ndarray]]]] = field(default_factory=dict)
