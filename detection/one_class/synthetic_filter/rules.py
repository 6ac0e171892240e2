"""The one-class filter on one photograph: is the defect unusual, is the background unusual where the base was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from anomaly_gan.core.masks import grow

DEFECT, BACKGROUND = "defect_not_unusual", "background_unusual"


@dataclass(frozen=True)
class Level:
    """Where one detector's values begin to be unusual: ``threshold``, against a ``typical`` value of normals."""

    threshold: float
    typical: float = 0.0


@dataclass(frozen=True)
class Finding:
    """What one detector says of one photograph. ``defect``: its greatest value in the grown mask (or the score of the
    whole photograph where it has no map); ``background``: the greatest value outside that is blamed on the painting,
    or, where nothing is blamed or could be compared, the greatest outside. ``background_unusual`` is None where it
    cannot tell: no map, no base photograph, or no background."""

    defect: float
    defect_unusual: bool
    defect_threshold: float
    background: float | None = None
    background_unusual: bool | None = None
    background_above: bool | None = None
    """The same without regard to the base photograph: any value outside above the threshold."""


def to_square_mask(mask_01: np.ndarray, size: int) -> np.ndarray:
    """mask_01 (size, size): every pixel that any part of the mask (H, W) falls on, so that small defects stay."""
    height, width = mask_01.shape
    rows, columns = np.nonzero(mask_01)
    square = np.zeros((size, size), np.uint8)
    square[rows * size // height, columns * size // width] = 1
    if height < size or width < size:  # growing leaves gaps between the places that single pixels fall on
        square |= cv2.resize((mask_01 != 0).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return square


def compare_map(
    map_HW: np.ndarray,
    inside_01: np.ndarray,
    level: Level,
    base_HW: np.ndarray | None = None,
    margin: float = 0.25,
    reach: int = 0,
    inside_threshold: float | None = None,
    outside_01: np.ndarray | None = None,
) -> Finding:
    """Judge a map with the grown mask ``inside_01`` of the same size; ``base_HW``: the base photograph's own map.

    ``inside_threshold``: where the defect begins to be unusual (None: the level's own threshold).
    ``outside_01``: what counts as background (None: all that is not inside).

    A value outside is blamed where it exceeds the threshold and, by more than ``margin * (threshold - typical)``, the
    greatest value of the base within ``reach`` pixels: what was unusual before the painting is no fault of it.

    Args:
        map_HW: float (H, W), higher is more abnormal.
        inside_01: the grown mask, uint8 (H, W).
        level: threshold and typical value of normals.
        base_HW: the base photograph's own map; None: not at hand, the background is not compared.
        margin: share of (threshold - typical) that a value must exceed its surroundings on the base by.
        reach: pixels around a place in which the base may show the same.
        inside_threshold: where the defect begins to be unusual; None: the level's own.
        outside_01: what counts as background; None: all that is not inside.

    Returns:
        What is unusual, inside and outside.
    """
    inside = inside_01 != 0
    apart = ~inside if outside_01 is None else (outside_01 != 0) & ~inside
    defect = float(map_HW[inside].max()) if inside.any() else float("-inf")
    outside = map_HW[apart]
    above = bool((outside > level.threshold).any()) if outside.size else None
    greatest = float(outside.max()) if outside.size else None
    unusual: bool | None = None
    if base_HW is not None and outside.size:
        side = 2 * reach + 1
        before = cv2.dilate(base_HW.astype(np.float32), np.ones((side, side), np.uint8)) if reach else base_HW
        slack = margin * max(level.threshold - level.typical, 0.0)
        blamed = outside[(outside > level.threshold) & (outside > before[apart] + slack)]
        unusual = bool(blamed.size)
        greatest = float(blamed.max()) if blamed.size else greatest
    bound = level.threshold if inside_threshold is None else inside_threshold
    return Finding(defect, defect > bound, bound, greatest, unusual, above)


def compare_score(score: float, level: Level) -> Finding:
    """Compare the score of the whole photograph: such a detector says nothing about the background."""
    return Finding(float(score), bool(score > level.threshold), level.threshold)


def reasons(findings: Mapping[str, Finding]) -> list[str]:
    """Why the photograph is an outlier, empty where it is not: no detector finds the defect unusual, or one finds a
    background unusual that was not before."""
    missed = findings and not any(item.defect_unusual for item in findings.values())
    blamed = any(item.background_unusual for item in findings.values())
    return ([DEFECT] if missed else []) + ([BACKGROUND] if blamed else [])


def grown(mask_01: np.ndarray, size: int, share: float) -> tuple[np.ndarray, int]:
    """The mask on the detector's square, grown by ``share`` of its side (at least a pixel), and that distance."""
    distance = max(1, round(share * size))
    return grow(to_square_mask(mask_01, size), distance), distance
