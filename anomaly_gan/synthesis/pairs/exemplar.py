"""A real defect laid under another mask: what a generator with ``painting: example`` starts from.

Not in the paper. From a mask and a category alone a generator learns the mean of all defects, a tint through which the
photograph shows; the relief of a break and the grain of a fracture are in the photographs of real ones. Here one of
them is stretched to the mask and brought into the light of its new place; what stretching spoils, and what does not
fit, is left to the generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file, save_file

from ...core.errors import InputError
from ...core.files import atomic_path
from ...core.manifest import check_product
from ...core.masks import grow

FILE = "examples.safetensors"

PLACES = 16
"""Along a strip, how often its sides are looked at."""
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""How its sides are smoothed from place to place: stretched from side to side of a jagged mask a small defect would
become a comb."""
ROUND = 1.3
"""Masks no longer than so many times their width have no direction: they are stretched upright, and keep the side that
light falls from."""
REACH_PX, RING_PX = 3, 4
"""How far beyond the mask a defect is laid, and the width of the ring beyond that whose light is compared."""
FADE = 0.4
"""The share of a mask's length over which one example fades into another."""
FLOOR = 64.0
"""Added to grey levels before their ratio is taken, so that dark surroundings do not blow it up."""


@dataclass(frozen=True)
class Strip:
    """A mask as a strip along its longest axis (a round one's: from left to right): where it begins and ends there,
    and, at ``PLACES`` places on the way, between which distances from that axis it lies, smoothed. Pixels in (x, y);
    ``axes`` holds the longest axis and the other.
    """

    centre: np.ndarray
    axes: np.ndarray
    begin: float
    end: float
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, mask_01: np.ndarray) -> Strip:
        """The mask's strip; the mask must have a pixel."""
        points = np.argwhere(mask_01)[:, ::-1].astype(float)
        centre = points.mean(0)
        spreads, vectors = np.linalg.eigh((points - centre).T @ (points - centre))
        axes = vectors.T[::-1] * np.where(vectors.T[::-1].sum(1, keepdims=True) < 0, -1, 1)
        if spreads[1] < ROUND**2 * spreads[0]:
            axes = np.eye(2)
        along, across = axes @ (points - centre).T
        begin, end = along.min() - 0.5, along.max() + 0.5
        place = np.minimum((PLACES * (along - begin) / (end - begin)).astype(int), PLACES - 1)
        low, high = np.full(PLACES, np.inf), np.full(PLACES, -np.inf)
        np.minimum.at(low, place, across - 0.5)
        np.maximum.at(high, place, across + 0.5)
        return cls(centre, axes, begin, end, _smooth(low), _smooth(high))

    def to(self, other: Strip, points_N2: np.ndarray) -> np.ndarray:
        """Where points of this strip lie in the other one: begin on begin, side on side. Beyond its borders distances
        are kept in pixels."""
        along, across = self.axes @ (points_N2 - self.centre).T
        share = self.share(points_N2)
        low, high = self._sides(share)
        aside = np.clip((across - low) / (high - low), 0, 1)
        other_low, other_high = other._sides(share)
        beyond, beside = along - np.clip(along, self.begin, self.end), across - np.clip(across, low, high)
        there = np.stack(
            [
                other.begin + share * (other.end - other.begin) + beyond,
                other_low + aside * (other_high - other_low) + beside,
            ]
        )
        return other.centre + there.T @ other.axes

    def share(self, points_N2: np.ndarray) -> np.ndarray:
        """How far along the strip points lie: 0 at its begin, 1 at its end."""
        along = self.axes[0] @ (points_N2 - self.centre).T
        return np.clip((along - self.begin) / (self.end - self.begin), 0, 1)

    def size(self) -> np.ndarray:
        """Logarithms of length and of mean width, in pixels."""
        return np.log([self.end - self.begin, (self.high - self.low).mean()])

    def _sides(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = share * PLACES - 0.5
        return tuple(np.interp(place, np.arange(PLACES), side) for side in (self.low, self.high))


@dataclass(frozen=True)
class Example:
    """A real defect's window as the net saw it in training: uint8 pixels, and its mask."""

    pixels: np.ndarray
    mask_01: np.ndarray

    @cached_property
    def strip(self) -> Strip:
        return Strip.of(self.mask_01)


def lay(defect: Example, ground: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """``ground`` (uint8 (H, W) or (H, W, 3)) with the defect laid under the mask and ``REACH_PX`` beyond: stretched
    from its own mask to this one, and as bright against its surroundings as it was. Either mask empty: ``ground``."""
    if not (mask_01.any() and defect.mask_01.any()):
        return ground
    near = grow(mask_01, REACH_PX) > 0
    points = np.argwhere(np.ones_like(near))[:, ::-1]
    source = Strip.of(mask_01).to(defect.strip, points).astype(np.float32)
    columns, rows = source.T.reshape(2, *near.shape)
    moved = cv2.remap(defect.pixels, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    here, there = _light_around(ground, mask_01), _light_around(defect.pixels, defect.mask_01)
    lit = (moved.astype(np.float32) + FLOOR) * (here + FLOOR) / (there + FLOOR) - FLOOR
    chosen = near if ground.ndim == 2 else near[:, :, None]
    return np.where(chosen, lit.round().clip(0, 255), ground).astype(np.uint8)


def nearest_in_size(mask_01: np.ndarray, examples: list[Example]) -> list[int]:
    """The examples by how much they are to be stretched to lie under the mask, the least first."""
    wanted = Strip.of(mask_01).size()
    return np.argsort([np.abs(example.strip.size() - wanted).sum() for example in examples]).tolist()


def lay_both(examples: tuple[Example, Example], ground: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """``lay`` of one example at the mask's begin and of the other at its end, the one fading into the other between.

    Two make a defect that neither of them is: one alone is found again by the copy check.
    """
    pictures = [lay(example, ground, mask_01).astype(np.float32) for example in examples]
    points = np.argwhere(np.ones_like(mask_01))[:, ::-1]
    share = Strip.of(mask_01).share(points).reshape(mask_01.shape)
    late = np.clip((share - 0.5) / FADE + 0.5, 0, 1)
    late = late if ground.ndim == 2 else late[:, :, None]
    return (pictures[0] * (1 - late) + pictures[1] * late).round().astype(np.uint8)


def save_examples(examples: dict[str, list[Example]], path: Path) -> None:
    """All categories' examples as one safetensors file."""
    tensors = {}
    for category, rows in examples.items():
        tensors[f"{category}.pixels"] = np.stack([row.pixels for row in rows])
        tensors[f"{category}.mask"] = np.stack([row.mask_01 for row in rows])
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_examples(path: Path, categories: list[str]) -> dict[str, list[Example]]:
    """What ``save_examples`` wrote.

    Raises:
        InputError: the file is missing.
    """
    if not path.is_file():
        raise InputError(
            str(path), "FORMAT", "the training's examples are missing", "copy the whole folder, or train again"
        )
    check_product(path)
    tensors = load_file(path)
    return {
        category: [
            Example(*row) for row in zip(tensors[f"{category}.pixels"], tensors[f"{category}.mask"], strict=True)
        ]
        for category in categories
    }


def _smooth(side: np.ndarray) -> np.ndarray:
    """A strip's side (``PLACES``,), infinite where the mask has no pixel: filled, and smoothed along the strip."""
    known = np.flatnonzero(np.isfinite(side))
    filled = np.interp(np.arange(PLACES), known, side[known])
    return np.convolve(np.pad(filled, len(SMOOTH) // 2, mode="edge"), SMOOTH, "valid")


def _light_around(pixels: np.ndarray, mask_01: np.ndarray) -> float:
    """Mean grey level of a ring around the mask, of the whole picture where the mask leaves no ring."""
    ring = grow(mask_01, REACH_PX + RING_PX) > grow(mask_01, REACH_PX)
    return float(pixels[ring].mean() if ring.any() else pixels.mean())
