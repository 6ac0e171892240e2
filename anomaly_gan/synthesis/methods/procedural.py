"""Defects drawn by rule on sound photographs: scratch, pit, crack, stain, and a patch of other texture.

They need no photograph of a defect, so they serve whoever has none yet, and a detector can begin with them before it
sees its first real one. The label is the drawn shape itself. A category whose name tells its kind (``crack``,
``scratches``, ``blowhole`` ...) is drawn as that; any other as every kind in turn of chance.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...core.dataset import ImageRecord
from ...core.images import read_record
from ...core.masks import union
from ...core.seeding import rng_for
from ...drawn_defects.blending import SUPPORT_PX
from ...drawn_defects.drawings import anywhere, draw, kind_of
from ..interface import Generate, MethodInputs, PoolItem, Sample


def open_method(inputs: MethodInputs) -> Generate:
    """The method as the registry promises it: at the place and about the size of the pool item's masks; an item
    without masks gets one drawing anywhere."""
    normals = sorted(inputs.train.normals(), key=lambda image: image.file_name)
    by_name = {image.file_name: image for image in inputs.train.images}
    ids = {category.name: category.id for category in inputs.train.categories}
    gray = inputs.train.gray

    def pixels_of(image: ImageRecord) -> np.ndarray:
        return read_record(inputs.train, image, gray)

    def one(item: PoolItem, attempt: int) -> Sample:
        rng = rng_for(inputs.seed, "procedural", item.image.file_name, attempt)
        category = item.image.extra["category"]
        base = pixels_of(by_name[item.image.extra["normal_file"]])
        texture = normals[int(rng.integers(len(normals)))]
        other = pixels_of(texture)
        boxes = [annotation.bbox for annotation in item.annotations] or [anywhere(base.shape, rng)]
        labels = [annotation.category_id for annotation in item.annotations] or [ids[category]]
        pixels, masks, kinds = base, [], []
        for box in boxes:
            kind = kind_of(category, rng)
            pixels, mask = draw(kind, pixels, other, box, rng)
            masks.append(mask)
            kinds.append(kind)
        changed = pixels != base if base.ndim == 2 else (pixels != base).any(axis=2)
        provenance = {
            "method": "procedural",
            "label": "generated",
            "kinds": kinds,
            "texture_group": texture.group_id,
            "support_px": _beyond(changed, union(masks, *base.shape[:2])),
        }
        instances = [(label, mask) for label, mask in zip(labels, masks, strict=True) if mask.any()]
        return Sample(pixels, instances, provenance, base)

    return lambda items, attempt: [one(item, attempt) for item in items]


def _beyond(changed: np.ndarray, mask_01: np.ndarray) -> int:
    """How far from the mask (pixels, in x or y) the farthest changed pixel lies."""
    if not mask_01.any() or not changed.any():
        return SUPPORT_PX["poisson"]
    far = cv2.distanceTransform(1 - mask_01, cv2.DIST_C, 3)
    return int(np.ceil(far[changed].max()))
