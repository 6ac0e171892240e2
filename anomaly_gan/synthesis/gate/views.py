"""A category's real and accepted photographs as pictures of three kinds, turned into features once.

``image``: the whole photograph. ``crop``: the defect with its surroundings. ``defect``: what the mask covers, alone.
Small sets of whole photographs differ by their scenes; only the last kind tells a bad defect at N = 6.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...core.images import read_record
from ...core.seeding import rng_for
from ...core.time_budget import TimeBudget, while_time
from ...metrics.backbones import Extractors
from ...metrics.crops import defect_crop, masked_crop
from .config import GateConfig
from .distances import Figures, View, figures

VIEWS = ("image", "crop", "defect")


class Pictures:
    """Rows of pictures of all kinds, made when one is first asked for."""

    def __init__(self, make: Callable[[], list[tuple[np.ndarray, ...]]]) -> None:
        self._make = make

    @cached_property
    def _rows(self) -> list[tuple[np.ndarray, ...]]:
        return self._make()

    def of(self, position: int) -> list[np.ndarray]:
        """All pictures of the kind at ``position`` in ``VIEWS``."""
        return [row[position] for row in self._rows]


@dataclass(frozen=True)
class Real:
    """A category's real photographs: the object of each, what names their features, their pictures."""

    groups: list[str]
    shown: tuple[tuple[str, str], ...]
    pictures: Pictures


class CategoryViews:
    """Figures category by category; the real side depends on the seed and the category, not on the method."""

    def __init__(
        self, train: Dataset, accepted: Dataset, extractors: Extractors, config: GateConfig, seed: int
    ) -> None:
        self.train, self.accepted, self.extractors = train, accepted, extractors
        self.config, self.seed = config, seed
        self.gray = train.gray
        self.ids = {category.name: category.id for category in train.categories}

    def figures(self, name: str, watch: TimeBudget | None = None) -> dict[str, Figures]:
        """``{view: figures}`` of one category.

        Raises:
            TimeUp: the time is over before the last view.
        """
        real = self._real(name)
        fake = self._chosen(self.accepted, name, "fake")
        fake_pictures = [self._pictures(self.accepted, image, largest) for image, largest in fake]
        return {
            kind: self._against(real, position, [pictures[position] for pictures in fake_pictures], name, kind)
            for position, kind in while_time(enumerate(VIEWS), watch)
        }

    def over_p95(self, name: str, defects: list[np.ndarray]) -> float | None:
        """How far these pictures of defects alone lie from real ones, as the verdict's figure has it; None where N
        carries none."""
        found = self._against(self._real(name), VIEWS.index("defect"), defects, name, "pasted")
        kernel = found[self.extractors.names["kernel"]]
        return None if kernel is None else kernel["over_p95"]

    def _real(self, name: str) -> Real:
        chosen = self._chosen(self.train, name, "real")
        return Real(
            [image.group_id for image, _ in chosen],
            tuple((image.sha256, json.dumps(largest.segmentation)) for image, largest in chosen),
            Pictures(lambda: [self._pictures(self.train, image, largest) for image, largest in chosen]),
        )

    def _against(self, real: Real, position: int, made: list[np.ndarray], name: str, stream: str) -> Figures:
        """Figures of pictures of the kind at ``position``; the real ones become features once a run."""
        key = (VIEWS[position], self.gray, self.config.crop_margin, real.shown)
        real_side = self.extractors.once(key, partial(real.pictures.of, position))
        view = View(*real_side, real.groups, *self.extractors.read(made))
        return figures(view, self.extractors.names, self.config, rng_for(self.seed, "gate", name, stream))

    def _chosen(self, dataset: Dataset, name: str, side: str) -> list[tuple[ImageRecord, Annotation]]:
        """Photographs that show the category, each with its largest instance, by name; at most ``max_n``."""
        rows = dataset.showing(self.ids[name])
        if len(rows) <= self.config.max_n:
            return rows
        rng = rng_for(self.seed, "gate", name, side)
        return [rows[index] for index in sorted(rng.choice(len(rows), self.config.max_n, replace=False))]

    def _pictures(self, dataset: Dataset, image: ImageRecord, largest: Annotation) -> tuple[np.ndarray, ...]:
        pixels, mask = read_record(dataset, image, self.gray), largest.mask()
        return pixels, defect_crop(pixels, mask, self.config.crop_margin), masked_crop(pixels, mask)
