"""Can a probe tell generated defects from real ones? A classifier two-sample test (Lopez-Paz and Oquab 2017).

0.5: it cannot; 1: it always can. Unlike a distance between sets it is not used up where real ones lie far apart: it
asks whether there is anything that gives a generated defect away. It bounds from below: a stronger probe might.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..core.channels import one_channel
from .artefact import FOLDS, Told, grain_bands, told_apart
from .seam import seam_score

SIDE = 24
Row = tuple[np.ndarray, str]
"""What a probe is shown of a defect, (D,), and the object it belongs to."""


def two_sample(rows: np.ndarray, generated: np.ndarray, groups: Sequence[str], rng: np.random.Generator) -> Told | None:
    """AUROC of the probe on objects it has not seen, with its interval over objects; None where either side has fewer
    than ``FOLDS`` objects.

    Args:
        rows: (N, D), for example of ``describe``.
        generated: (N,) of zeros (real) and ones.
        groups: the physical object of each; one object is on one side of every fold.
    """
    owners = np.array(groups, dtype=str)
    if min(len(set(owners[generated == side])) for side in (0, 1)) < FOLDS:
        return None
    return told_apart(rows, generated, list(owners), rng)


def real_against_made(real: Sequence[Row], made: Sequence[Row], rng: np.random.Generator) -> Told | None:
    """:func:`two_sample` of real defects and of generated ones; None also where one side is empty.

    Args:
        real: rows of real defects.
        made: rows of generated ones.
        rng: for folds and the interval.

    Returns:
        AUROC and interval.
    """
    if not (real and made):
        return None
    both, generated = [*real, *made], np.repeat([0, 1], [len(real), len(made)])
    return two_sample(np.stack([row for row, _ in both]), generated, [group for _, group in both], rng)


def describe(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """(D,) float64 of a defect's window at native scale: grain in bands, tones and their spread inside, at the rim and
    around, the outline's gradient, and a small picture of it, its own level and contrast taken away."""
    gray = one_channel(pixels).astype(np.float32)
    inside = mask_01 != 0
    out = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    zones = [inside, (out > 0) & (out <= 3), (out > 3) & (out <= 12)]
    level = float(gray[zones[2]].mean()) if zones[2].any() else float(gray.mean())
    fine = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.0))
    tones = [f(gray[z]) - (level if f is np.mean else 0) if z.any() else 0.0 for z in zones for f in (np.mean, np.std)]
    grains = [float(np.log(fine[z].mean() + 0.5)) if z.any() else 0.0 for z in zones]
    small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = (small - small.mean()) / (small.std() + 4.0) / SIDE
    seam = seam_score(pixels, mask_01) or 1.0
    return np.concatenate([grain_bands(gray), tones, grains, [np.log(seam + 0.1)], small.ravel()])
