"""Is a photograph still the one that was painted on? Asked of methods that may change every pixel; of the others the
check ``outside`` asks it photograph by photograph."""

from __future__ import annotations

import cv2
import numpy as np

from ....core.channels import one_channel
from ....core.dataset import Dataset, ImageRecord
from ....core.images import read_record
from ....core.masks import union
from ..defects import Defect
from ..results import Level, MetricResult
from .data import CategoryData

SMALL_PX, OTHERS, OWN = 32, 20, 100
"""Photographs are compared at this side; with sound ones of so many other objects, and so many of their own."""


def measure(data: CategoryData) -> MetricResult | None:
    """Share of the photographs that are, beside their defects, more like a sound photograph of another object than like
    the sound ones of their own; None where the method keeps what it does not paint, or no sound photograph is there to
    tell."""
    free = [defect for defect in data.made if _may_change_anywhere(defect.image)]
    if not free:
        return None
    train = data.real_defects.train
    sound = _sound_by_object(train)
    asked = [defect for defect in free if defect.group in sound]
    if not asked or len(sound) < 3:
        return None
    groups = sorted(sound)
    drawn = [groups[at] for at in data.rng("scene").permutation(len(groups))[: OTHERS + 1]]
    others = {group: _small(train, sound[group][0]) for group in drawn}
    painted_on = {defect.group for defect in asked}
    own = {group: [_small(train, image) for image in sound[group][:OWN]] for group in painted_on}
    lost = float(np.mean([_is_another(defect, own[defect.group], others) for defect in asked]))
    config = data.config
    level: Level = "fail" if lost >= config.fail_outside else "warn" if lost >= config.warn_outside else "pass"
    words = f"{lost:.0%} look more like a sound photograph of another object than like the one painted on"
    return MetricResult("scene", level, words if level != "pass" else "", lost, 0.0, config.fail_outside)


def _may_change_anywhere(image: ImageRecord) -> bool:
    return (image.extra.get("provenance") or {}).get("base", "") is None


def _sound_by_object(train: Dataset) -> dict[str, list[ImageRecord]]:
    found: dict[str, list[ImageRecord]] = {}
    for image in train.normals():
        if image.source == "real":
            found.setdefault(image.group_id, []).append(image)
    return found


def _is_another(defect: Defect, own: list[np.ndarray], others: dict[str, np.ndarray]) -> bool:
    """Whether the photograph is more like one of the ``others`` than like all sound ones of its own object."""
    height, width = defect.image.height, defect.image.width
    masks = [item.mask() for item in (defect.annotation, *defect.others)]
    beside = 1 - _shrunk(union(masks, height, width).astype(np.float32))
    seen = _small(defect.dataset, defect.image)
    alike = max(_correlation(seen, small, beside) for small in own)
    return any(_correlation(seen, small, beside) > alike for group, small in others.items() if group != defect.group)


def _small(dataset: Dataset, image: ImageRecord) -> np.ndarray:
    return _shrunk(one_channel(read_record(dataset, image, dataset.gray)).astype(np.float32))


def _shrunk(plane_HW: np.ndarray) -> np.ndarray:
    return cv2.resize(plane_HW, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)


def _correlation(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> float:
    """Pearson's, weighted; 0 where either is even, or nothing has a weight."""
    if weight.sum() <= 0:
        return 0.0
    first, second = (plane - np.average(plane, weights=weight) for plane in (one, other))
    scale = np.sqrt((first**2 * weight).sum() * (second**2 * weight).sum())
    return float((first * second * weight).sum() / scale) if scale > 0 else 0.0
