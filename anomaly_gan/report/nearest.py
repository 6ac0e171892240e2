"""Beside a generated defect, the real training defect that it is most like: does it repeat what it was shown?

The likeness is the copy check's (``metrics.texture``): the correlation of upright textures, whatever place, size,
angle and mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core.dataset import Annotation, Dataset, ImageRecord
from ..core.masks import no_splinters
from ..metrics.texture import distances, mirrored, unit, upright_texture
from .pictures import cut, load_pixels, native_window


@dataclass(frozen=True)
class Nearest:
    """A real defect: its photograph's ``pixels``, its ``mask_01``, and the correlation (-1 .. 1) with the generated
    one."""

    pixels: np.ndarray
    mask_01: np.ndarray
    image: ImageRecord
    correlation: float

    def around(self, cell_px: int) -> np.ndarray:
        """The window around it at native scale (``pictures.native_window``)."""
        return cut(self.pixels, native_window(self.mask_01, cell_px))


@dataclass
class NearestReal:
    """The real defects of the training split, asked for the nearest; textures are made once per category."""

    train: Dataset
    _books: dict[str, tuple[np.ndarray, list[tuple[ImageRecord, Annotation]]]] = field(default_factory=dict)

    def find(self, pixels: np.ndarray, mask_01: np.ndarray, category: str) -> Nearest | None:
        """The nearest real defect of the category by name; None where there is none that can be read."""
        if category not in self._books:
            self._books[category] = self._read(category)
        textures, owners = self._books[category]
        if not owners or not mask_01.any():
            return None
        found = distances(unit(upright_texture(pixels, mask_01)), textures)
        at = int(found.argmin())
        image, annotation = owners[at]
        real = load_pixels(self.train, image)
        assert real is not None, "it has been read for its texture"
        return Nearest(real, annotation.mask(), image, 1.0 - float(found[at]))

    def _read(self, category: str) -> tuple[np.ndarray, list[tuple[ImageRecord, Annotation]]]:
        """Unit textures (N, 4, K) of the category's defects that are no splinters, and whose they are."""
        ids = {item.id for item in self.train.categories if item.name == category}
        by_image = self.train.by_image()
        textures: list[np.ndarray] = []
        owners: list[tuple[ImageRecord, Annotation]] = []
        for image in sorted(self.train.images, key=lambda image: image.file_name):
            items = [item for item in by_image.get(image.id, []) if not item.iscrowd]
            if not any(item.category_id in ids for item in items):
                continue
            pixels = load_pixels(self.train, image)
            if pixels is None:
                continue
            for at in no_splinters([item.area for item in items]):
                if items[at].category_id in ids and (mask := items[at].mask()).shape == pixels.shape[:2]:
                    textures.append(unit(mirrored(upright_texture(pixels, mask))))
                    owners.append((image, items[at]))
        return np.stack(textures) if textures else np.zeros((0, 4, 0), np.float32), owners
