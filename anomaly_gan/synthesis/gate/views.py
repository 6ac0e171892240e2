"""A category's real and accepted photographs as pictures of three kinds, turned into features once.

``image``: the whole photograph. ``crop``: the defect with its surroundings. ``defect``: what the mask covers, alone.
Small sets of whole photographs differ by their scenes; only the last kind tells a bad defect at N = 6.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...core.images import read_record
from ...core.seeding import rng_for
from ...core.time_budget import TimeBudget, while_time
from ...metrics.backbones import Extractors
from ...metrics.crops import defect_crop, masked_crop
from .config import GateConfig
from .distances import View, figures

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


class CategoryViews:
    """Figures category by category; the real side depends on the seed and the category, not on the method."""

    def __init__(
        self, train: Dataset, accepted: Dataset, extractors: Extractors, config: GateConfig, seed: int
    ) -> None:
        self.train, self.accepted, self.extractors = train, accepted, extractors
        self.config, self.seed = config, seed
        self.gray = train.info.get("mode", "L") == "L"
        self.ids = {category.name: category.id for category in train.categories}

    def figures(self, name: str, watch: TimeBudget | None = None) -> dict[str, Any]:
        """``{view: figures}`` of one category.

        Raises:
            TimeUp: the time is over before the last view.
        """
        real = self._chosen(self.train, name, "real")
        fake = self._chosen(self.accepted, name, "fake")
        groups = [image.group_id for image, _ in real]
        real_pictures = Pictures(lambda: [self._pictures(self.train, image, largest) for image, largest in real])
        fake_pictures = [self._pictures(self.accepted, image, largest) for image, largest in fake]
        shown = tuple((image.sha256, json.dumps(largest.segmentation)) for image, largest in real)
        result = {}
        for position, view_name in while_time(enumerate(VIEWS), watch):
            key = (view_name, self.gray, self.config.crop_margin, shown)
            real_side = self.extractors.once(key, partial(real_pictures.of, position))
            fake_side = self.extractors.read([pictures[position] for pictures in fake_pictures])
            view = View(real_side[0], real_side[1], groups, fake_side[0], fake_side[1])
            result[view_name] = figures(
                view, self.extractors.names, self.config, rng_for(self.seed, "gate", name, view_name)
            )
        return result

    def over_p95(self, name: str, defects: list[np.ndarray]) -> float | None:
        """How far these pictures of defects alone lie from real ones, as the verdict's figure has it; None where N
        carries none."""
        real = self._chosen(self.train, name, "real")
        of_real = [self._pictures(self.train, image, largest)[-1] for image, largest in real]
        real_side, fake_side = self.extractors.read(of_real), self.extractors.read(defects)
        view = View(*real_side, [image.group_id for image, _ in real], *fake_side)
        kernel = self.extractors.names["kernel"]
        found = figures(view, self.extractors.names, self.config, rng_for(self.seed, "gate", name, "pasted"))[kernel]
        return None if found is None else found["over_p95"]

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
