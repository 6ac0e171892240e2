"""Photographs of a training, decoded at their own scale and kept in memory up to a limit."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord
from anomaly_gan.core.images import read_record

from ..data import CategoryMap

MEMORY_BYTES = 1 << 30


@dataclass(frozen=True)
class Instance:
    """One real defect: the place of its photograph among those of the data set, label from 1, object, annotation."""

    image: int
    label: int
    group: str
    annotation: Annotation


@dataclass
class Photographs:
    """The images of a data set by their place in it. ``pixels`` decodes, and forgets what was used longest ago once
    more than ``memory`` bytes are held.
    """

    dataset: Dataset
    categories: CategoryMap
    memory: int = MEMORY_BYTES
    _held: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def __post_init__(self) -> None:
        self._by_image = self.dataset.by_image()

    def instances(self, source: str) -> list[Instance]:
        """Every ordinary instance on photographs of that source."""
        return [
            Instance(place, self.categories.label(item.category_id), image.group_id, item)
            for place, image in enumerate(self.dataset.images)
            if image.source == source
            for item in self._by_image.get(image.id, [])
            if not item.iscrowd
        ]

    def sound(self) -> list[int]:
        """Places of the real photographs without any annotation."""
        return [
            place
            for place, image in enumerate(self.dataset.images)
            if image.source == "real" and image.id not in self._by_image
        ]

    def image(self, place: int) -> ImageRecord:
        return self.dataset.images[place]

    def load(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W) or (H, W, 3), and the truth: uint8 (K + 1, H, W), 0 or 1 for each category, the last one for
        crowd regions, which count nowhere.
        """
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        pair = self._decode(place)
        self._held[place] = pair
        self._bytes += sum(part.nbytes for part in pair)
        while self._bytes > self.memory and len(self._held) > 1:
            _, old = self._held.popitem(last=False)
            self._bytes -= sum(part.nbytes for part in old)
        return pair

    def _decode(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        image = self.dataset.images[place]
        pixels = read_record(self.dataset, image, gray=self.dataset.gray)
        annotations = self._by_image.get(image.id, [])
        if not annotations:
            return pixels, np.zeros((len(self.categories) + 1, 1, 1), np.uint8)
        truth = np.zeros((len(self.categories) + 1, *pixels.shape[:2]), np.uint8)
        for item in annotations:
            layer = len(self.categories) if item.iscrowd else self.categories.label(item.category_id) - 1
            truth[layer] |= item.mask()
        return pixels, truth
