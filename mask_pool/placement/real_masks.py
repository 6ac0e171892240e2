"""The real masks of a data set, and their photographs with every defect painted out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.images import read_record
from anomaly_gan.core.masks import decode_union
from anomaly_gan.core.seeding import rng_for

from ..elements.real import Element, cut_prior, without_fragments
from .maps import PlaceMaps, paint_out

ANYWHERE = 6
"""Places drawn for every real mask, to learn what any place looks like."""


def real_elements(dataset: Dataset, split: str, fragment_share: float) -> dict[str, list[Element]]:
    """Per category the real masks of one split, splinters left out."""
    # cut_prior reads what is called train; the plausibility model is also put to the test on the other split
    part = replace(dataset, images=[replace(image, split="train") for image in dataset.images if image.split == split])
    return {name: without_fragments(own, fragment_share) for name, own in cut_prior(part).items()}


class Scenes:
    """Photographs of ``dataset`` by file name, read once; every annotated defect can be painted out."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._images = {image.file_name: image for image in dataset.images}
        self._labels = dataset.by_image()
        self.kept: dict[tuple[str, str, int], tuple[np.ndarray, np.ndarray]] = {}

    def __contains__(self, file: str) -> bool:
        return file in self._images

    def gray(self, file: str) -> np.ndarray:
        """The photograph as it is, (H, W) uint8.

        Raises:
            InputError: it cannot be read.
        """
        return read_record(self._dataset, self._images[file], gray=True)

    def pixels(self, file: str) -> np.ndarray:
        """The photograph in the data set's mode, (H, W) or (H, W, 3) uint8.

        Raises:
            InputError: it cannot be read.
        """
        return read_record(self._dataset, self._images[file], gray=self._dataset.gray)

    def sound(self, file: str) -> np.ndarray:
        """The same with its defects painted out."""
        return paint_out(self.pixels(file), self.defects(file))

    def image(self, file: str) -> ImageRecord:
        """Its record."""
        return self._images[file]

    def defects(self, file: str) -> np.ndarray:
        """mask_01 (H, W) of all defects of the photograph."""
        image = self._images[file]
        rles = [annotation.segmentation for annotation in self._labels.get(image.id, [])]
        return decode_union(rles, image.height, image.width)


def places_of(scenes: Scenes, real: Element, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (P,) of a real mask's place, and (``ANYWHERE``, P) of places drawn uniformly for the same mask.

    All of them are painted out of the photograph at once, and its other defects too: that something was painted
    tells nothing. The same seed and mask give the same places; ``scenes`` keeps them.
    """
    key = (real.parent_image, str(real.parent), seed)
    if key not in scenes.kept:
        rng = rng_for(seed, "judge anywhere", real.parent_image, real.parent)
        (height, width), (h, w) = real.parent_size, real.bitmap.shape
        masks = [real.full_mask()]
        for x, y in zip(
            rng.integers(width - w + 1, size=ANYWHERE), rng.integers(height - h + 1, size=ANYWHERE), strict=True
        ):
            masks.append(np.zeros((height, width), np.uint8))
            masks[-1][y : y + h, x : x + w] = real.bitmap
        painted = scenes.gray(real.parent_image)
        defects = scenes.defects(real.parent_image)
        own = PlaceMaps.of(paint_out(painted, defects)).under(masks[0])
        others = [PlaceMaps.of(paint_out(painted, defects | mask)).under(mask) for mask in masks[1:]]
        scenes.kept[key] = (own, np.stack(others))
    return scenes.kept[key]
