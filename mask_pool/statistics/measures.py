"""What is measured on the masks of a category, real and in the pool, for its statistics and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord
from anomaly_gan.core.seeding import rng_for

from ..elements.real import cut_prior, without_fragments

SIDE = 32
"""Side of the frame that outlines are compared in, pixels."""
GRID = 24
"""Cells per side of the position maps."""
MOST = 400
"""Masks of a category whose pixels are measured, of each kind; more are sampled by the seed. Counts use all."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One mask: tight ``bitmap`` (h, w) of 0 and 1, ``box`` [x, y, w, h] in its photograph of ``size_hw`` pixels."""

    bitmap: np.ndarray
    box: tuple[int, int, int, int]
    size_hw: tuple[int, int]

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.bitmap))

    def sides(self) -> tuple[float, float]:
        """Length and width in pixels of the smallest rectangle, of any direction, around all pixels."""
        grown = cv2.findContours(self.bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        points = np.concatenate(grown).reshape(-1, 2)
        # a pixel is a square: its four corners, so that one pixel has the sides 1 and 1
        corners = np.concatenate([points + offset for offset in ((0, 0), (1, 0), (0, 1), (1, 1))])
        _, (first, second), _ = cv2.minAreaRect(corners.astype(np.float32))
        return max(first, second), min(first, second)

    def solidity(self) -> float:
        """Share of its convex hull (of pixel squares) that the mask fills, in (0, 1]."""
        y, x = np.nonzero(self.bitmap)
        corners = np.concatenate([np.column_stack([x + dx, y + dy]) for dx in (0, 1) for dy in (0, 1)])
        return min(1.0, self.area / cv2.contourArea(cv2.convexHull(corners.astype(np.int32))))

    def parts(self) -> int:
        """Number of pieces that do not touch, not even by corners."""
        return cv2.connectedComponents(self.bitmap, connectivity=8)[0] - 1

    def framed(self) -> np.ndarray:
        """The outline in a frame of SIDE x SIDE, centred, the longer side of its box filling the frame; bool."""
        h, w = self.bitmap.shape
        scale = SIDE / max(h, w)
        size = max(1, round(w * scale)), max(1, round(h * scale))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(self.bitmap.astype(np.float32), size, interpolation=way)
        # thin masks shrink to fractions of a pixel: the half of what is there at most keeps them whole
        frame = np.zeros((SIDE, SIDE), bool)
        top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
        frame[top : top + size[1], left : left + size[0]] = small >= 0.5 * small.max()
        return frame

    def coverage(self) -> np.ndarray:
        """Where it lies: (GRID, GRID), the photograph's sides as one, the share of the mask in each cell; sum 1."""
        x, y, w, h = self.box
        down, across = _cells(y, h, self.size_hw[0]), _cells(x, w, self.size_hw[1])
        cells = down @ (self.bitmap != 0).astype(np.float64) @ across.T
        total = cells.sum()
        return cells / total if total > 0 else cells


def _cells(first: int, count: int, side: int) -> np.ndarray:
    """(GRID, count): how much of each of ``count`` pixels from ``first`` on lies in each cell of a side of so many."""
    pixels, edges = first + np.arange(count), np.linspace(0, side, GRID + 1)[:, None]
    return np.clip(np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1]), 0, None)


@dataclass(frozen=True, eq=False)
class Measured:
    """A category: its real shapes (training split), its pool ``items``, their ``elements``, and a sample's shapes."""

    name: str
    items: list[ImageRecord]
    elements: list[Annotation]
    real_count: int
    real: list[Shape]
    pool: list[Shape]


def measure(pool: Dataset, ingest: Dataset, seed: int, most: int = MOST, fragment_share: float = 0.0) -> list[Measured]:
    """Every category of the pool, in its order; of the real masks those that are no fragments (``cut``)."""
    real = {
        name: [Shape(one.bitmap, one.box, one.parent_size) for one in without_fragments(found, fragment_share)]
        for name, found in cut_prior(ingest).items()
    }
    images, names = {image.id: image for image in pool.images}, pool.category_names()
    measured = []
    for name in names.values():
        elements = [one for one in pool.annotations if names[one.category_id] == name]
        shapes = [
            _shape_of(one, images[one.image_id]) for one in sample(elements, most, seed, f"pool/{name}") if one.area
        ]
        own = {one.image_id for one in elements}
        own_real = real.get(name, [])
        measured.append(
            Measured(
                name,
                [image for image in pool.images if image.id in own],
                elements,
                len(own_real),
                sample(own_real, most, seed, f"real/{name}"),
                shapes,
            )
        )
    return measured


def sample(items: Sequence[Any], most: int, seed: int, name: str) -> list[Any]:
    """At most ``most`` of the items, by the seed, in their order."""
    if len(items) <= most:
        return list(items)
    chosen = rng_for(seed, "pool stats", name).choice(len(items), most, replace=False)
    return [items[int(index)] for index in sorted(chosen)]


def _shape_of(annotation: Annotation, image: ImageRecord) -> Shape:
    x, y, w, h = annotation.bbox
    bitmap = np.ascontiguousarray(annotation.mask()[y : y + h, x : x + w])
    return Shape(bitmap, (x, y, w, h), (image.height, image.width))


def frames(shapes: Sequence[Shape]) -> np.ndarray:
    """All outlines in their frames, (N, SIDE * SIDE) float32 of 0 and 1."""
    return np.array([shape.framed().ravel() for shape in shapes], np.float32).reshape(-1, SIDE * SIDE)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of every outline with every other, (N, M), of ``frames`` (N, S) and (M, S); sums of 0 and 1 are exact."""
    both = first @ second.T
    return both / (first.sum(axis=1)[:, None] + second.sum(axis=1)[None] - both)


def nearest_distance(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
    """1 - the best IoU of each outline with one of ``second`` (with another of ``first`` where None); (N,) in [0, 1].

    Empty where there is nothing to compare with.
    """
    other = first if second is None else second
    if not len(first) or len(other) < (2 if second is None else 1):
        return np.empty(0)
    shared = overlaps(first, other)
    if second is None:
        np.fill_diagonal(shared, -1.0)
    return 1.0 - shared.max(axis=1).astype(np.float64)


def mean_distance(found: np.ndarray) -> float | None:
    """Mean of 1 - IoU over all pairs of outlines; None for fewer than two."""
    if len(found) < 2:
        return None
    shared = overlaps(found, found).astype(np.float64)
    pairs = len(found) * (len(found) - 1)
    return float(1.0 - (shared.sum() - len(found)) / pairs)


def position_map(shapes: Sequence[Shape]) -> np.ndarray:
    """Where masks lie, (GRID, GRID), every mask with the same weight; sum 1, or 0 where there is no mask."""
    total = np.zeros((GRID, GRID))
    for shape in shapes:
        total += shape.coverage()
    return total / total.sum() if total.sum() > 0 else total
