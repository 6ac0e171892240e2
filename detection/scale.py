"""At which scale a detector sees its photographs: a defect two pixels wide has no shape left to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.dataset import Annotation, Dataset
from anomaly_gan.core.masks import mask_width_px

from .detectors.config import OWN_CROPS, DetectConfig

LEAST_WIDTH_PX = 3.0
"""Below this median width a mask at the detector's scale says more about its own rounding than about the defect."""
WANTED_WIDTH_PX = 4.0
SMALLEST, LARGEST, STEP = 256, 640, 32
"""``image_size: auto`` lies between these, in steps: a larger one costs more than an ordinary processor can train."""
MOST = 200
"""Defects per category that are measured."""


@dataclass(frozen=True)
class CategoryScale:
    """Of one category, medians in pixels of the photographs as they are: ``width_px`` of a defect (its thickness),
    ``longest_px`` of its photograph's longest side."""

    width_px: float
    longest_px: float

    def width_at(self, image_size: int) -> float:
        """The defect's width in pixels where the photograph's longest side is ``image_size``."""
        return self.width_px * image_size / self.longest_px


def measure_scale(train: Dataset) -> dict[str, CategoryScale]:
    """Every category that ``train`` shows, by name; at most ``MOST`` defects each, evenly spaced."""
    longest = {image.id: max(image.width, image.height) for image in train.images}
    of_category: dict[int, list[Annotation]] = {}
    for item in train.annotations:
        if not item.iscrowd and item.area > 0:
            of_category.setdefault(item.category_id, []).append(item)
    names, found = train.category_names(), {}
    for number, items in sorted(of_category.items()):
        shown = [items[at * len(items) // MOST] for at in range(MOST)] if len(items) > MOST else items
        widths = [mask_width_px(item.mask()) for item in shown]
        found[names[number]] = CategoryScale(
            float(np.median(widths)), float(np.median([longest[item.image_id] for item in shown]))
        )
    return found


def fitting_size(scales: Mapping[str, CategoryScale]) -> int:
    """The longest side, in pixels, at which every category's median defect is ``WANTED_WIDTH_PX`` wide, or the
    photograph itself where that does not do; within ``SMALLEST`` and ``LARGEST``."""
    wanted = [min(one.longest_px, WANTED_WIDTH_PX * one.longest_px / one.width_px) for one in scales.values()]
    size = STEP * int(np.ceil(max(wanted, default=SMALLEST) / STEP - 1e-9))
    return min(max(size, SMALLEST), LARGEST)


def fitted(config: DetectConfig, train: Dataset) -> DetectConfig:
    """The configuration with ``image_size: auto`` replaced by what fits the real photographs of ``train``, so that
    every arm of a comparison sees the same scale. Detectors of crops or tiles at native scale have no such size."""
    if config.image_size != "auto" or config.detector in OWN_CROPS or config.view == "tiles":
        return config
    real = train.select(lambda image: image.source == "real")
    return config.model_copy(update={"image_size": fitting_size(measure_scale(real))})
