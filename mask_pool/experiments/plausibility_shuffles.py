"""Real masks put where they do not belong, to see whether a model notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.seeding import rng_for

from ..elements.real import Element
from ..recombination.recombine import turn

KINDS = ("moved", "swapped", "foreign", "resized")
FACTOR = 3.0
"""How many times too long or too short a resized mask is."""
TRIES = 50


@dataclass(frozen=True, eq=False)
class Pair:
    """``real`` is a real mask on its photograph, ``fake_01`` (H, W) a mask on the same photograph that is not real."""

    kind: str
    real: Element
    fake_01: np.ndarray


def shuffle(
    real: Element, kind: str, others: Sequence[Element], taken_01: np.ndarray, seed: int, draw: int
) -> Pair | None:
    """One shuffled mask for the photograph of ``real``; None where this kind is not possible there.

    * ``moved``: the same mask, uniformly anywhere in its photograph, off the photograph's real defects ``taken_01``;
    * ``swapped``: a mask of the same category from another object, at the relative place it had there;
    * ``foreign``: a mask of another category from another object, where the real mask is;
    * ``resized``: the same mask three times too large or too small, where the real mask is.

    ``others`` are the real masks that may be put there. The pair depends on seed, mask, kind and ``draw`` alone.

    Args:
        real: the mask.
        kind: one of the kinds below.
        others: masks to take from.
        taken_01: uint8 (H, W): the photograph's real defects.
        seed: of every random choice made here.
        draw: number of the draw.

    Returns:
        The real mask and the shuffled one; None where the kind is not possible.
    """
    rng = rng_for(seed, "shuffle", kind, real.parent_image, real.parent, draw)
    if kind == "moved":
        return _moved(real, taken_01, rng)
    if kind == "resized":
        factors = (FACTOR, 1 / FACTOR) if rng.random() < 0.5 else (1 / FACTOR, FACTOR)
        turned = [turn(real, 0.0, factor, False) for factor in factors]
        return next(
            (
                pair
                for one in turned
                if one is not None
                and one.area != real.area
                and (pair := _at(real, kind, one.bitmap, real.centre_xy)) is not None
            ),
            None,
        )
    donors = [
        other
        for other in others
        if other.parent_group != real.parent_group and (other.category == real.category) == (kind == "swapped")
    ]
    for index in rng.permutation(len(donors)):
        donor = donors[int(index)]
        centre = real.centre_xy
        if kind == "swapped":
            (x, y), (height, width) = donor.centre_xy, donor.parent_size
            centre = ((x + 0.5) / width * real.parent_size[1] - 0.5, (y + 0.5) / height * real.parent_size[0] - 0.5)
        pair = _at(real, kind, donor.bitmap, centre)
        if pair is not None:
            return pair
    return None


def _moved(real: Element, taken_01: np.ndarray, rng: np.random.Generator) -> Pair | None:
    (height, width), (h, w) = real.parent_size, real.bitmap.shape
    for _ in range(TRIES):
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        if not np.any(taken_01[y : y + h, x : x + w] & real.bitmap):
            return Pair("moved", real, _put(real.parent_size, real.bitmap, x, y))
    return None


def _at(real: Element, kind: str, bitmap: np.ndarray, centre: tuple[float, float]) -> Pair | None:
    """The bitmap with its box centred there, moved inside; None where it is larger than the photograph."""
    (height, width), (h, w) = real.parent_size, bitmap.shape
    if h > height or w > width:
        return None
    x = min(max(round(centre[0] - (w - 1) / 2), 0), width - w)
    y = min(max(round(centre[1] - (h - 1) / 2), 0), height - h)
    return Pair(kind, real, _put(real.parent_size, bitmap, x, y))


def _put(size_hw: tuple[int, int], bitmap: np.ndarray, x: int, y: int) -> np.ndarray:
    mask_01 = np.zeros(size_hw, np.uint8)
    mask_01[y : y + bitmap.shape[0], x : x + bitmap.shape[1]] = bitmap
    return mask_01
