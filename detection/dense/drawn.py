"""Defects drawn by rule on sound photographs, new ones at every step: for a training without any labelled defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomaly_gan.core.dataset import Category, Dataset
from anomaly_gan.drawn_defects.drawings import KINDS, anywhere, draw, kind_of

from ..data import CategoryMap
from .config import DenseConfig
from .photographs import Photographs
from .sampling import Item

CROP = 256
"""Side of a crop: of 160 pixels, as by default, nothing is learnt from drawn defects that one-class scores do not know
(``docs/results/lift/design.md``)."""
TRIES = 20
"""Drawings tried until one leaves a label."""
AROUND = 1.5
"""Side of the piece of a photograph that is drawn on, in sides of a crop."""


def with_drawn_categories(dataset: Dataset) -> Dataset:
    """A data set that declares no category gets the kinds that are drawn."""
    kinds = [Category(number, kind) for number, kind in enumerate(KINDS, start=1)]
    return dataset if dataset.categories else replace(dataset, categories=kinds)


def for_drawn(config: DenseConfig) -> DenseConfig:
    """Crops of ``CROP`` pixels, where no other side was asked for."""
    return config if "crop" in config.model_fields_set else config.model_copy(update={"crop": CROP})


@dataclass(frozen=True)
class DrawnDefects:
    """Every sound photograph with every category: item ``place`` is the photograph ``sound[place // K]`` with the
    category of the label ``place % K + 1``. What is drawn on it, and where, is new each time.
    """

    photographs: Photographs
    sound: Sequence[int]
    categories: CategoryMap
    crop: int

    def items(self) -> list[Item]:
        """What a sampler chooses from."""
        return [
            Item(label, self.photographs.image(place).group_id, number * len(self.categories) + label - 1)
            for number, place in enumerate(self.sound)
            for label in range(1, len(self.categories) + 1)
        ]

    def load(self, place: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A piece of the photograph with a defect drawn on it, uint8 (h, w) or (h, w, 3), and its truth, uint8
        (K + 1, h, w)."""
        number, layer = divmod(place, len(self.categories))
        kind = kind_of(self.categories.names[layer], rng)
        base = self._piece(self.sound[number], rng)
        other = self._piece(self.sound[int(rng.integers(len(self.sound)))], rng)
        pixels, mask = base, np.zeros(base.shape[:2], np.uint8)
        for _ in range(TRIES):
            if mask.any():
                break
            pixels, mask = draw(kind, base, other, anywhere(base.shape, rng), rng)
        truth = np.zeros((len(self.categories) + 1, *mask.shape), np.uint8)
        truth[layer] = mask
        return pixels, truth

    def _piece(self, place: int, rng: np.random.Generator) -> np.ndarray:
        """A window of a photograph, all of it where it is small."""
        pixels, _ = self.photographs.load(place)
        side = round(AROUND * self.crop)
        top, left = (int(rng.integers(max(1, length - side + 1))) for length in pixels.shape[:2])
        return pixels[top : top + side, left : left + side]
