"""The defects of one category as pictures and masks: real ones of the training split, and accepted generated ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...core.images import read_record
from ...core.seeding import rng_for

NEAR_PX = 24
"""Surroundings that a defect's window holds on each side."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Window:
    """A cut at native scale: ``pixels`` (h, w[, 3]) uint8, ``mask_01`` (h, w) of this defect, ``others_01`` of
    whatever else is labelled there."""

    pixels: np.ndarray
    mask_01: np.ndarray
    others_01: np.ndarray


@dataclass(frozen=True)
class Defect:
    """One labelled defect; its photograph is read when asked for, and only the window around it is kept."""

    dataset: Dataset
    image: ImageRecord
    annotation: Annotation
    others: tuple[Annotation, ...] = ()

    @property
    def group(self) -> str:
        return self.image.group_id

    def pixels(self) -> np.ndarray:
        """The whole photograph, (H, W) uint8 where the data set is gray, else (H, W, 3)."""
        return read_record(self.dataset, self.image, self.dataset.info.get("mode", "L") == "L")

    def mask(self) -> np.ndarray:
        """mask_01 (H, W) in the photograph's frame."""
        return self.annotation.mask()

    @cached_property
    def window(self) -> Window:
        """The defect with ``NEAR_PX`` around its box, clipped to the photograph."""
        x, y, width, height = self.annotation.bbox
        rows = slice(max(0, y - NEAR_PX), y + height + NEAR_PX)
        columns = slice(max(0, x - NEAR_PX), x + width + NEAR_PX)
        others = np.zeros((self.image.height, self.image.width), np.uint8)
        for other in self.others:
            others |= other.mask()
        # copies, so that the whole photograph is not kept alive by a view into it
        return Window(
            self.pixels()[rows, columns].copy(), self.mask()[rows, columns].copy(), others[rows, columns].copy()
        )


def defects_of(dataset: Dataset, category: str, most: int, rng: np.random.Generator) -> list[Defect]:
    """Each photograph's largest defect of the category, by file name; ``most`` of them, drawn by ``rng``."""
    number = {item.name: item.id for item in dataset.categories}[category]
    of_image = dataset.by_image()
    found = [
        Defect(dataset, image, largest, tuple(item for item in of_image[image.id] if item is not largest))
        for image, largest in dataset.showing(number)
    ]
    if len(found) <= most:
        return found
    return [found[index] for index in sorted(rng.choice(len(found), most, replace=False))]


@dataclass
class RealDefects:
    """The real defects of the training split, category by category, and what has been measured of them so far."""

    train: Dataset
    most: int
    seed: int
    _found: dict[str, list[Defect]] = field(default_factory=dict)
    _values: dict[tuple[str, str], list[tuple[str, float]]] = field(default_factory=dict)

    def of(self, category: str) -> list[Defect]:
        if category not in self._found:
            rng = rng_for(self.seed, "gate", category, "real")
            self._found[category] = defects_of(self.train, category, self.most, rng)
        return self._found[category]

    def named(self, number: int) -> list[Defect]:
        """The same by the category's number."""
        return self.of(self.train.category_names()[number])

    def values(self, name: str, category: str, measure: Callable[[Defect], float | None]) -> list[tuple[str, float]]:
        """(object, value) of every real defect of the category that ``measure`` has a value for; measured once."""
        key = (name, category)
        if key not in self._values:
            self._values[key] = known(self.of(category), measure)
        return self._values[key]


def known(defects: Sequence[Defect], measure: Callable[[Defect], float | None]) -> list[tuple[str, float]]:
    """(object, value) of the defects that have one."""
    found = [(defect.group, measure(defect)) for defect in defects]
    return [(group, value) for group, value in found if value is not None and np.isfinite(value)]
