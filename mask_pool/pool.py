"""Building the items of the pool: each is a mask of one category on one normal photograph of the training split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.records import Dataset, ImageRecord
from anomaly_gan.core.seeding import rng_for

from .config import PoolConfig
from .cut import Element
from .placement import draw_place, real_positions, seat_elements, slide_to_border
from .recombine import Canvas, Placed, Turned, draw_number, draw_turn, recombine
from .seats import Seat, SeatFinder

BASE_TRIES = 20
"""Normals tried for an item before its elements are taken as fitting none."""


@dataclass(frozen=True, eq=False)
class Item:
    """One mask of the pool: the normal photograph and the elements placed on it."""

    normal: ImageRecord
    placed: list[Placed]

    def mask(self) -> np.ndarray:
        """mask_01 (H, W): all elements together."""
        union = np.zeros((self.normal.height, self.normal.width), np.uint8)
        for placed in self.placed:
            union |= placed.full_mask(self.normal.height, self.normal.width)
        return union


@dataclass(frozen=True, eq=False)
class CategoryBuilder:
    """Makes the items of one category; item ``index`` depends on the seed, the category and the index alone.

    ``positions`` (N, 2) in [0, 1] are the centres of real elements; ``finder`` is set for fixed-shape categories,
    whose elements are only moved.
    """

    category: str
    config: PoolConfig
    seed: int
    normals: Sequence[ImageRecord]
    prior: Sequence[Element]
    expert: Sequence[Element]
    positions: np.ndarray
    finder: SeatFinder | None = None

    def item(self, index: int) -> Item:
        """Item ``index``.

        Raises:
            InputError: no element fits any of the normals tried (fixed-shape elements are never shrunk).
        """
        rng = rng_for(self.seed, "pool", self.category, index)
        by_experts = rng.random() < self.config.expert_share
        elements = (self.expert or self.prior) if by_experts else (self.prior or self.expert)
        number = draw_number(rng, *self.config.elements)
        if self.finder is not None:
            on_seats = self._on_seats(self.finder, elements, number, rng)
            if on_seats is not None:
                return on_seats
        for _ in range(BASE_TRIES):
            normal = self._normal(rng)
            placed = self._anywhere(elements, number, normal, rng)
            if placed:
                return Item(normal, placed)
        raise InputError(f"pool[{self.category}]", "H9", "its masks fit none of the normal photographs",
                         "ingest photographs of one scale, or raise pool.max_area_share")

    def _normal(self, rng: np.random.Generator) -> ImageRecord:
        return self.normals[int(rng.integers(len(self.normals)))]

    def _canvas(self, normal: ImageRecord) -> Canvas:
        return Canvas(normal.height, normal.width, self.config.margin_px, self.config.gap_px,
                      self.config.max_area_share)

    def _anywhere(self, elements: Sequence[Element], number: int, normal: ImageRecord,
                  rng: np.random.Generator) -> list[Placed]:
        canvas, config = self._canvas(normal), self.config
        if self.finder is not None:
            return _moved_anywhere(elements, number, canvas, rng)

        def turning(element: Element) -> Turned:
            return draw_turn(element, rng, config.rotation, config.scale, config.flip, config.min_area_px,
                             config.keep_at_border)

        def placing(turned: Turned) -> tuple[int, int, dict[str, Any]]:
            x, y, place = draw_place(rng, canvas, turned.bitmap, self.positions, config.position_prior,
                                     config.position_jitter)
            if config.keep_at_border and turned.element.cut_sides:
                return *slide_to_border(canvas, turned, x, y), {**place, "at_border": True}
            return x, y, place

        return recombine(elements, rng, canvas, number, turning, placing)

    def _on_seats(self, finder: SeatFinder, elements: Sequence[Element], number: int,
                  rng: np.random.Generator) -> Item | None:
        """An item on seats, or, after several normals without one, on a photograph where experts marked some."""
        marked = [image for image in self.normals if image.id in finder.marked]
        for attempt in range(self.config.seat_tries + 1):
            last = attempt == self.config.seat_tries
            if not (marked if last else finder.marked):
                return None
            normal = marked[int(rng.integers(len(marked)))] if last else self._normal(rng)
            placed = seat_elements(elements, finder.seats(normal), rng, self._canvas(normal), number)
            if placed:
                return Item(normal, placed)
        return None


def _moved_anywhere(elements: Sequence[Element], number: int, canvas: Canvas,
                    rng: np.random.Generator) -> list[Placed]:
    """Fixed-shape elements at uniform places; those larger than the photograph are passed over."""
    fitting = [element for element in elements
               if canvas.room(element.bitmap) is not None and element.area <= canvas.area_left]
    placed: list[Placed] = []
    for _ in range(number if fitting else 0):
        element = fitting[int(rng.integers(len(fitting)))]
        x, y, _ = draw_place(rng, canvas, element.bitmap, np.empty((0, 2)), 0.0, 0.0)
        h, w = element.bitmap.shape
        seat = Seat(x + (w - 1) / 2, y + (h - 1) / 2, w, h, "uniform")
        placed += seat_elements([element], [seat], rng, canvas, 1)
    return placed


def open_builder(category: str, config: PoolConfig, seed: int, train: Dataset, prior: Sequence[Element],
                 expert: Sequence[Element], marks: Sequence[Element] = ()) -> CategoryBuilder:
    """The builder of one category over the training split ``train``; ``marks`` show where a fixed object sits.

    Raises:
        InputError: the training split has no normal photograph, or the category no element.
    """
    normals = sorted((image for image in train.normals() if image.source == "real"), key=lambda image: image.file_name)
    if not normals:
        raise InputError(str(train.folder / "annotations.json"), "E7", "the training split has no normal photograph",
                         "ingest photographs without defects too")
    if not prior and not expert:
        raise InputError(f"pool[{category}]", "E7", "the training split holds no mask of this category",
                         "label some, give experts' drawings (pool.expert_dir), or leave the category out")
    finder = open_finder(config, train, marks) if category in config.fixed_shape else None
    return CategoryBuilder(category, config, seed, normals, prior, expert, real_positions(prior), finder)


def open_finder(config: PoolConfig, train: Dataset, marks: Sequence[Element]) -> SeatFinder:
    """The seat finder of one category; ``marks`` are the experts' drawings of it, best first."""
    return SeatFinder(marks, {image.file_name: image for image in train.images},
                      lambda image: read_pixels(train.path_of(image), gray=True), templates=config.seat_templates,
                      least_score=config.seat_score, scales=config.seat_scales, margin=config.seat_margin)
