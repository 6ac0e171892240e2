"""Normal augmentation (Table 4's "normal aug"): a real defect photograph turned, mirrored, scaled, lit otherwise.

Every pixel may change, so there is no base photograph. Fixed-shape categories keep their pose: they are moved and
lit only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import cv2
import numpy as np

from ...core.errors import InputError
from ...core.seeding import rng_for, seed_for
from ..interface import Generate, MethodInputs, PoolItem, Sample
from .copy_paste.donors import Donors

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it calls home at import

import albumentations

ROTATION_DEG = 20.0
SCALE = (0.85, 1.2)
SHIFT_SHARE = 0.06
LIGHT = 0.15
"""Greatest change of brightness and contrast, as a share."""
DRAWS = 6
"""Draws until the defect of the wanted category stays in the frame; the last moves nothing."""
MIN_PIXELS = 4


def open_method(inputs: MethodInputs) -> Generate:
    """The method as the registry promises it; the pool item decides the category and seeds the draw."""
    donors = Donors(inputs.train)
    ids = {category.name: category.id for category in inputs.train.categories}
    fixed = {ids[name] for name in inputs.pool.info.get("fixed_shape", []) if name in ids}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [_sample(item, attempt, inputs.seed, donors, ids, fixed) for item in items]

    return generate


def _sample(item: PoolItem, attempt: int, seed: int, donors: Donors, ids: dict[str, int], fixed: set[int]) -> Sample:
    category = ids[item.image.extra["category"]]
    name = ("geometric", item.image.file_name, attempt)
    donor = donors.draw(category, rng_for(seed, *name))
    image = donors.image_of(donor)
    pixels = donors.pixels(image)
    labels = [(other.category_id, other.mask()) for other in donors.by_image[image.id] if not other.iscrowd]
    seeds = [seed_for(seed, *name, draw) for draw in range(DRAWS)]
    still = any(label in fixed for label, _ in labels)
    changed, instances = vary(image.file_name, pixels, labels, category, seeds, still)
    return Sample(
        changed,
        instances,
        {
            "method": "geometric",
            "donors": [{"annotation": donor.id, "image": image.file_name, "group": image.group_id}],
        },
    )


def vary(
    where: str,
    pixels: np.ndarray,
    labels: list[tuple[int, np.ndarray]],
    category: int,
    seeds: Sequence[int],
    still: bool,
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """A labelled photograph turned, mirrored, scaled, lit otherwise (``still``: moved and lit only).

    One draw per seed until an instance of ``category`` stays in the frame; the last draw changes the light alone.

    Args:
        where: what messages call the photograph.
        pixels: the photograph, uint8 (H, W) or (H, W, 3).
        labels: (category id, mask_01 (H, W)) of its instances.
        category: the one that must stay in the frame.
        seeds: one draw each, in order, until it does.
        still: the pose is kept: moved and lit only.

    Returns:
        The photograph (its own size) and its instances.

    Raises:
        InputError: B7, the mask is too small to be moved at all.
    """
    for draw, seed in enumerate(seeds):
        changed, instances = _transform(pixels, labels, seed, still, moved=draw < len(seeds) - 1)
        if any(label == category for label, _ in instances):
            return changed, instances
    raise InputError(where, "B7", "the mask is too small to be moved", "label it again")


def _transform(
    pixels: np.ndarray, labels: list[tuple[int, np.ndarray]], seed: int, still: bool, moved: bool
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """One draw. The photograph is continued by reflection before it moves, and its defects with it."""
    height, width = pixels.shape[:2]
    edge = _border(height, width) if moved else 0
    padded = cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_REFLECT_101)
    inner = [cv2.copyMakeBorder(mask, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0) for _, mask in labels]
    whole = [cv2.copyMakeBorder(mask, edge, edge, edge, edge, cv2.BORDER_REFLECT_101) for _, mask in labels]
    steps = _steps(height, width, still) if moved else []
    light = albumentations.RandomBrightnessContrast(brightness_limit=LIGHT, contrast_limit=LIGHT, p=1.0)
    done = albumentations.Compose([*steps, light], seed=seed % 2**32)(image=padded, masks=inner + whole)
    masks = [np.ascontiguousarray(mask) for mask in done["masks"]]
    instances = []
    for (category, _), own, reflected in zip(labels, masks[: len(labels)], masks[len(labels) :], strict=True):
        instances += [(category, mask) for mask in _apart(own, reflected)]
    return np.ascontiguousarray(done["image"]), instances


def _border(height: int, width: int) -> int:
    """Reflected pixels a side that rotation, shrinking and shift can bring into view."""
    angle = math.radians(ROTATION_DEG)
    reach = (max(height, width) * math.cos(angle) + min(height, width) * math.sin(angle)) / SCALE[0]
    turned = (min(height, width) * math.cos(angle) + max(height, width) * math.sin(angle)) / SCALE[0]
    most = max(reach - max(height, width), turned - min(height, width)) / 2 + 2 * SHIFT_SHARE * max(height, width)
    return min(math.ceil(most) + 2, min(height, width) - 1)


def _steps(height: int, width: int, still: bool) -> list[albumentations.BasicTransform]:
    shift = round(SHIFT_SHARE * min(height, width))
    move = albumentations.Affine(
        scale=1.0 if still else SCALE,
        rotate=0.0 if still else (-ROTATION_DEG, ROTATION_DEG),
        shear=0.0,
        translate_px=(-shift, shift),
        keep_ratio=True,
        border_mode=cv2.BORDER_REFLECT_101,
        p=1.0,
    )
    crop = albumentations.CenterCrop(height, width, p=1.0)
    if still:
        return [move, crop]
    # the quarter turn comes last: it swaps the sides
    return [albumentations.HorizontalFlip(p=0.5), move, crop, albumentations.RandomRotate90(p=1.0)]


def _apart(own: np.ndarray, reflected: np.ndarray) -> list[np.ndarray]:
    """The instance itself and each of its mirror images that does not touch it; specks are left out."""
    count, parts = cv2.connectedComponents((reflected | own).astype(np.uint8), connectivity=8)
    touched = set(np.unique(parts[own != 0])) - {0}
    rest = [index for index in range(1, count) if index not in touched]
    masks = [np.isin(parts, list(touched)).astype(np.uint8)] if touched else []
    masks += [(parts == index).astype(np.uint8) for index in rest]
    return [mask for mask in masks if np.count_nonzero(mask) >= MIN_PIXELS]
