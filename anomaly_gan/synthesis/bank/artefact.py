"""How well a method's compositing can be seen: its shams against the same places untouched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.masks import union
from ...core.seeding import rng_for
from ...core.time_budget import TimeBudget
from ...metrics.artefact import Told, artefact_auroc
from ...metrics.crops import defect_crop
from ...metrics.features import Backbone
from ..interface import PoolItem
from .painters import Painters

LARGEST = 128
"""Side in pixels of the largest crop that a probe is shown: of a larger paste, the part around one corner of it."""


def artefact_by_category(
    painters: Painters,
    items: Sequence[PoolItem],
    backbone: Backbone,
    most: int = 48,
    watch: TimeBudget | None = None,
) -> dict[str, Told | None]:
    """The artefact AUROC (see ``metrics.artefact``), with its interval over objects, of at most ``most`` shams of each
    category; None where a method repaints whole photographs, or too few objects are there; none of a category that
    ``watch`` leaves no time for."""
    by_category: dict[str, list[PoolItem]] = {}
    for item in items:
        by_category.setdefault(item.image.extra["category"], []).append(item)
    groups = {image.file_name: image.group_id for image in painters.inputs.train.images}
    result: dict[str, Told | None] = {}
    for name, own in sorted(by_category.items()):
        shams, untouched, names = [], [], []
        for attempt, item in enumerate(own[:most]):
            if watch is not None and watch.over():
                return result
            sample = painters.sham(attempt)[0]([item], attempt)[0]
            if sample.base is None:
                break
            mask = _part(union([mask for _, mask in sample.instances], *sample.pixels.shape[:2]))
            shams.append(defect_crop(sample.pixels, mask))
            untouched.append(defect_crop(sample.base, mask))
            names.append(groups[item.image.extra["normal_file"]])
        rng = rng_for(painters.inputs.seed, "artefact", name)
        result[name] = artefact_auroc(shams, untouched, names, backbone, rng) if shams else None
    return result


def _part(mask_01: np.ndarray) -> np.ndarray:
    """The mask, or, where it is large, what of it lies near its first pixel."""
    rows, columns = np.nonzero(mask_01)
    half, part = LARGEST // 4, np.zeros_like(mask_01)
    window = (slice(max(0, rows[0] - half), rows[0] + half), slice(max(0, columns[0] - half), columns[0] + half))
    part[window] = mask_01[window]
    return part
