"""What a control card looks at: a model, and pool masks on the normal photographs they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...core.images import read_record
from ...metrics.crops import defect_crop
from ..generate.stage import pool_items
from ..methods.painting.generator import Brush
from ..methods.painting.severity import Filled, fill

LEAST_PX = 12
"""A mask of fewer pixels says little of a contrast."""


@dataclass(frozen=True)
class Subject:
    """One mask of the pool: its largest instance, its category, and the normal photograph it lies on."""

    name: str
    category: str
    base: np.ndarray
    mask_01: np.ndarray


@dataclass(frozen=True)
class Model:
    """A brush with the data set it was trained on. Photographs are read with the channels that it paints."""

    brush: Brush
    channels: int
    ingest: Dataset
    pool: Dataset
    seed: int

    @property
    def gray(self) -> bool:
        return self.channels == 1

    @cached_property
    def train(self) -> Dataset:
        return self.ingest.split("train")

    @cached_property
    def normals(self) -> dict[str, ImageRecord]:
        return {image.file_name: image for image in self.train.images}

    def subjects(self, most: int) -> list[Subject]:
        """The first ``most`` usable masks of each category, in the pool's order."""
        found: list[Subject] = []
        for category, items in pool_items(self.pool).items():
            if category not in self.brush.categories:
                continue
            chosen = 0
            for item in items:
                largest: Annotation = max(item.annotations, key=lambda one: one.area)
                if largest.area < LEAST_PX:
                    continue
                normal = self.normals[item.image.extra["normal_file"]]
                found.append(
                    Subject(
                        item.image.file_name,
                        category,
                        read_record(self.train, normal, self.gray),
                        largest.mask(),
                    )
                )
                chosen += 1
                if chosen == most:
                    break
        return found

    def fill(
        self, subject: Subject, seed: int, category: str | None = None, wanted: list[float] | None = None
    ) -> Filled:
        """The subject's mask filled on its photograph."""
        return fill(self.brush, subject.base, subject.mask_01, category or subject.category, seed, wanted)


def first_of_each(subjects: Sequence[Subject], rows: int) -> list[Subject]:
    """The first few of each category that is there: what a sheet of about ``rows`` rows shows."""
    names = list(dict.fromkeys(subject.category for subject in subjects))
    share = max(1, rows // max(1, len(names)))
    return [subject for name in names for subject in [one for one in subjects if one.category == name][:share]]


def cut(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """What a sheet shows of a photograph: the mask with half its size around it."""
    return defect_crop(pixels, mask_01, margin=0.5, least=48)
