"""Copy-paste with the mask pool: real defect texture under the very masks the GAN methods get.

An element cut from a real defect carries that defect's own texture, through the element's affine. An element drawn
by an expert is filled with the texture of a random training defect of its category, laid along its main axis.
The blend is drawn per photograph, so that no detector can learn one kind of seam (Dwibedi et al. 2017).
"""

from __future__ import annotations

import cv2
import numpy as np

from ....core.errors import InputError
from ....core.masks import union
from ....core.seeding import rng_for
from ...interface import Generate, MethodInputs, PoolItem, Sample
from .blending import SUPPORT_PX, blend, light_gain, relit, ring
from .donors import Donors

STRETCH = (0.4, 2.5)
"""Limits to the scale, per axis, by which a donor is fitted to an expert's mask."""
CORE_SHARE = 0.3
"""Least share of a defect that must remain for its rim to be left out."""


def open_method(inputs: MethodInputs) -> Generate:
    """The method as the registry promises it."""
    donors = Donors(inputs.train)

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [
            _sample(item, rng_for(inputs.seed, "copy_paste", item.image.file_name, attempt), donors) for item in items
        ]

    return generate


def _sample(item: PoolItem, rng: np.random.Generator, donors: Donors) -> Sample:
    file_name = item.image.extra["normal_file"]
    if file_name not in donors.by_name:
        raise InputError(
            file_name,
            "E4",
            "this normal photograph is not in the training split",
            "build the pool again from this data set",
        )
    base = donors.pixels(donors.by_name[file_name])
    masks = [annotation.mask() for annotation in item.annotations]
    everything = union(masks, *base.shape[:2])
    blend_mode, pasted, used = _blend_mode(item, rng), base, []
    for annotation, mask in zip(item.annotations, masks, strict=True):
        patch, record = _patch(annotation.provenance, annotation.category_id, mask, base, everything, donors, rng)
        pasted = blend(pasted, patch, mask, blend_mode)
        used.append(record)
    instances = [(annotation.category_id, mask) for annotation, mask in zip(item.annotations, masks, strict=True)]
    provenance = {
        "method": "copy_paste",
        "base": file_name,
        "blend": blend_mode,
        "donors": used,
        "support_px": SUPPORT_PX[blend_mode],
    }
    return Sample(pasted, instances, provenance, base)


def _blend_mode(item: PoolItem, rng: np.random.Generator) -> str:
    """Expert elements have no surroundings of their own, and without a gradient at the rim Poisson erases them."""
    real = all(annotation.provenance.get("kind") == "prior" for annotation in item.annotations)
    modes = ["hard", "feather", "poisson"] if real else ["hard", "feather"]
    return modes[int(rng.integers(len(modes)))]


def _patch(
    provenance: dict,
    category_id: int,
    mask: np.ndarray,
    base: np.ndarray,
    everything: np.ndarray,
    donors: Donors,
    rng: np.random.Generator,
) -> tuple[np.ndarray, dict]:
    """A picture of the photograph's size with the defect where the mask is, and the record of its donor."""
    parent = donors.of_parent(provenance)
    donor = parent or donors.draw(category_id, rng)
    image = donors.image_of(donor)
    texture, donor_mask = donors.pixels(image), donor.mask()
    defects = union([other.mask() for other in donors.by_image[image.id]], *donor_mask.shape)
    gain = light_gain(texture, ring(donor_mask, defects), donor_mask, base, ring(mask, everything))
    if parent is not None:
        affine = np.array(provenance["affine"], np.float64)
        if provenance.get("transforms", {}).get("deform"):  # the mask may reach beyond the defect it was made from
            texture = _spread(texture, donor_mask)
    else:
        affine = _along_axis(donor_mask, mask, turned=bool(rng.integers(2)))
        texture = _spread(texture, donor_mask)
    patch = cv2.warpAffine(
        relit(texture, gain),
        affine,
        (base.shape[1], base.shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return patch, {"annotation": donor.id, "image": image.file_name, "group": image.group_id}


def _along_axis(donor_mask: np.ndarray, mask: np.ndarray, turned: bool) -> np.ndarray:
    """2x3 affine, donor pixel -> photograph pixel, that lays the donor's main axes and spreads on the mask's."""
    donor_centre, donor_axes, donor_spread = _axes(donor_mask)
    centre, axes, spread = _axes(mask)
    stretch = np.clip(spread / donor_spread, *STRETCH) * (-1.0 if turned else 1.0)
    linear = axes @ np.diag(stretch) @ donor_axes.T
    return np.column_stack([linear, centre - linear @ donor_centre])


def _axes(mask_01: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (x, y), main axes as columns (a rotation), and standard deviations along them (pixels)."""
    rows, columns = np.nonzero(mask_01)
    points = np.stack([columns, rows]).astype(np.float64)
    # 1/12 is a pixel's own spread: a mask one pixel thin still has a width
    values, axes = np.linalg.eigh(np.cov(points, bias=True) + np.eye(2) / 12.0)
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([1.0, -1.0])
    return points.mean(axis=1), axes, np.sqrt(values)


def _spread(texture: np.ndarray, donor_mask: np.ndarray) -> np.ndarray:
    """The donor's picture with every pixel outside its defect taken from the nearest one inside.

    The defect's own rim is half background, so it is left out where enough remains.
    """
    core = cv2.erode(donor_mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    if np.count_nonzero(core) < CORE_SHARE * np.count_nonzero(donor_mask):
        core = donor_mask
    _, labels = cv2.distanceTransformWithLabels(
        (core == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    lookup = np.zeros((int(labels.max()) + 1, *texture.shape[2:]), np.uint8)
    lookup[labels[core != 0]] = texture[core != 0]
    return lookup[labels]
