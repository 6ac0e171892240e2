"""Copy-paste with the mask pool: real defects under the very masks the GAN methods get.

An element cut from a real defect carries that very defect, through the element's affine. An element drawn by an expert,
or deformed, is filled with a training defect of its category that fits its size, stretched to it. Either is warped with
the alpha it has in its own photograph (``pairs.layer``): nothing ends at the mask's outline unless the defect did, and
there is no seam whose kind a detector could learn (Dwibedi et al. 2017 draw kinds of blending for that).
"""

from __future__ import annotations

import numpy as np

from ....core.dataset import Annotation
from ....core.errors import InputError
from ....core.seeding import rng_for
from ....part.foreground import find_foreground
from ...interface import Generate, MethodInputs, PoolItem, Sample
from ...pairs.exemplar import best_fitting, overstretched, warp, warp_through
from ...pairs.layer import REACH_PX as SUPPORT_PX
from .donors import MARGIN_PX, Donors, box_around

CANDIDATES, MORE = 8, 64
"""Training defects drawn for an expert's mask, of which the one that fits it best fills it; and how many are where that
would be stretched too far."""


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
    pasted, used = base, []
    for annotation, mask in zip(item.annotations, masks, strict=True):
        pasted, record = paste(pasted, annotation.provenance, annotation.category_id, mask, donors, rng)
        used.append(record)
    instances = [(annotation.category_id, mask) for annotation, mask in zip(item.annotations, masks, strict=True)]
    provenance = {"method": "copy_paste", "base": file_name, "donors": used, "support_px": SUPPORT_PX}
    return Sample(pasted, instances, provenance, base)


def paste(
    base: np.ndarray,
    provenance: dict,
    category_id: int,
    mask: np.ndarray,
    donors: Donors,
    rng: np.random.Generator,
) -> tuple[np.ndarray, dict]:
    """The photograph with the defect where the mask is, and the record of its donor. Only boxes are looked at.

    Args:
        base: the photograph.
        provenance: the mask's, as the pool holds it.
        category_id: id of its category.
        mask: mask_01 (H, W).
        donors: the training defects.
        rng: source of chance.

    Returns:
        The photograph with the defect, and its donor's annotation, image and group.
    """
    parent = donors.of_parent(provenance)
    rows, columns = box_around(mask, MARGIN_PX)
    ground, piece = base[rows, columns], mask[rows, columns]
    donor = parent or _best_fitting(ground, piece, category_id, donors, rng)
    exemplar, corner = donors.exemplar(donor)
    part = None
    if exemplar.part_01 is not None and (found := find_foreground(base)) is not None:
        part = found.window(rows, columns)
    if parent is None or deformed(provenance):
        warped = warp(exemplar, ground, piece, part)
    else:
        affine = np.array(provenance["affine"], np.float64)
        affine[:, 2] += affine[:, :2] @ corner - np.array([columns.start, rows.start])
        warped = warp_through(exemplar, ground, piece, affine, part)
    pasted = base.copy()
    pasted[rows, columns] = warped
    image = donors.image_of(donor)
    return pasted, {"annotation": donor.id, "image": image.file_name, "group": image.group_id}


def deformed(provenance: dict) -> bool:
    """Whether a pool mask may reach beyond the defect that it was cut from."""
    return bool(provenance.get("transforms", {}).get("deform"))


def _best_fitting(
    ground: np.ndarray, mask: np.ndarray, category_id: int, donors: Donors, rng: np.random.Generator
) -> Annotation:
    """Of some donors drawn the one that is least stretched, and most alike in its surroundings, to fill the mask."""
    drawn = [donors.draw(category_id, rng) for _ in range(CANDIDATES)]
    if overstretched(mask, [donors.exemplar(one)[0] for one in drawn], enough=1):
        drawn += [donors.draw(category_id, rng) for _ in range(MORE - CANDIDATES)]
    return drawn[best_fitting(mask, [donors.exemplar(one)[0] for one in drawn], ground)[0]]
