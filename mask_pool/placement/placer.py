"""The placer: draws a legal place for an element, anywhere, near real ones, or where it looks like real places."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.images import read_record

from ..elements.real import Element
from ..recombination.recombine import Canvas, Turned
from .config import PlaceConfig
from .locations import real_positions, slide_to_border
from .maps import PlaceMaps
from .materials import MaterialHabit
from .ratio import PlaceRatio
from .real_masks import Scenes, places_of
from .regions import Regions, background_01, least_hits, legal_corners

KEPT = 64
"""Photographs whose maps and legal regions are kept."""
POINTS = 256
"""Pixels of a mask at which the maps are read; more tell nothing new."""
MOST_REAL = 36
"""Real masks a prior is learned from; spread over the objects."""


@dataclass(frozen=True, eq=False)
class Placer:
    """Places of one category on the photographs of ``dataset``.

    ``positions`` (N, 2) in [0, 1] are the centres of real elements, ``ratio`` the learned prior (None: cannot tell),
    ``material`` the one of two that real elements keep to.
    """

    config: PlaceConfig
    category: str
    dataset: Dataset
    positions: np.ndarray
    ratio: PlaceRatio | None = None
    regions: Regions | None = None
    material: MaterialHabit | None = None
    _kept: OrderedDict[tuple[str, int], Any] = field(default_factory=OrderedDict, repr=False)

    def place(
        self, turned: Turned, canvas: Canvas, image: ImageRecord, rng: np.random.Generator, *, at_border: bool = False
    ) -> tuple[int, int, dict[str, object]] | None:
        """Corner (x, y) of a legal place inside the canvas and how it was found; None where there is none.

        With ``at_border``, what a border cut off is moved to the border of this photograph, and rated there; only the
        prior then knows whether that place is legal.
        """
        corners = self.corners(turned.bitmap, canvas, image)
        if corners is None:
            return None
        follows = rng.random() < self.config.share
        if follows and self.config.strategy == "prior" and self.ratio is not None:
            return self._by_ratio(turned, canvas, corners, image, rng, at_border)
        if follows and self.config.strategy in ("auto", "position") and len(self.positions):
            found, how = self._near_real(turned.bitmap, canvas, corners, rng), "real"
        else:
            found, how = corners.draw(rng), "uniform"
        return *(slide_to_border(canvas, turned, *found) if at_border else found), {"place": how}

    def allows(self, bitmap: np.ndarray, x: int, y: int, image: ImageRecord) -> bool:
        """Whether enough of mask_01 ``bitmap`` with its corner at pixel (x, y) lies in the legal region."""
        allowed = self.allowed(image)
        if allowed is None:
            return True
        h, w = bitmap.shape
        hits = np.count_nonzero(allowed[y : y + h, x : x + w] & (bitmap != 0))
        return bool(hits >= least_hits(bitmap, self.inside))

    def allowed(self, image: ImageRecord) -> np.ndarray | None:
        """bool (H, W) of the legal region; None where nothing forbids any place."""
        return self._keep("allowed", image, self._make_allowed)

    @property
    def inside(self) -> float:
        """Least share of a mask that must lie in the legal region."""
        return self.config.inside if self.material is None else min(self.config.inside, self.material.least_share)

    def log_ratios(self, bitmap: np.ndarray, corners: Sequence[tuple[int, int]], image: ImageRecord) -> np.ndarray:
        """(K,) ln p(place | real) - ln p(place | any) of ``bitmap`` at each of the corners (x, y)."""
        if self.ratio is None:
            return np.zeros(len(corners))
        maps = self._keep("maps", image, lambda one: PlaceMaps.of(self._gray(one))).maps
        rows, columns = np.nonzero(bitmap)
        step = max(1, len(rows) // POINTS)
        rows, columns = rows[::step], columns[::step]
        height, width = maps.shape[1:]
        found = [
            self.ratio.score(
                maps[:, (rows + y) * height // image.height, (columns + x) * width // image.width].mean(
                    axis=1, dtype=np.float64
                )
            )
            for x, y in corners
        ]
        return np.array(found)

    def corners(self, bitmap: np.ndarray, canvas: Canvas, image: ImageRecord) -> Corners | None:
        """Where the bitmap may lie inside the canvas; None where it may nowhere."""
        room = canvas.room(bitmap)
        allowed = self.allowed(image) if room is not None else None
        if room is None or allowed is None:
            return None if room is None else Corners(room)
        first_x, last_x, first_y, last_y = room
        legal = legal_corners(allowed, bitmap, self.inside)[first_y : last_y + 1, first_x : last_x + 1]
        places = np.flatnonzero(legal)
        return Corners(room, places) if len(places) else None

    def _by_ratio(
        self,
        turned: Turned,
        canvas: Canvas,
        corners: Corners,
        image: ImageRecord,
        rng: np.random.Generator,
        at_border: bool,
    ) -> tuple[int, int, dict[str, object]] | None:
        places = [corners.draw(rng) for _ in range(self.config.candidates)]
        if at_border:
            moved = [slide_to_border(canvas, turned, *place) for place in places]
            places = [place for place in moved if self.allows(turned.bitmap, *place, image)]
        if not places:
            return None
        ratios = self.log_ratios(turned.bitmap, places, image)
        chances = np.exp((ratios - ratios.max()) / self.config.temperature)
        chosen = int(rng.choice(len(places), p=chances / chances.sum()))
        return *places[chosen], {"place": "prior", "log_ratio": round(float(ratios[chosen]), 4)}

    def _near_real(
        self, bitmap: np.ndarray, canvas: Canvas, corners: Corners, rng: np.random.Generator
    ) -> tuple[int, int]:
        centre = self.positions[int(rng.integers(len(self.positions)))] + rng.normal(0.0, self.config.jitter, 2)
        return corners.nearest(
            float(centre[0]) * canvas.width - bitmap.shape[1] / 2,
            float(centre[1]) * canvas.height - bitmap.shape[0] / 2,
        )

    def _make_allowed(self, image: ImageRecord) -> np.ndarray | None:
        allowed = self.regions.allowed(image, self.category) if self.regions is not None else None
        if self.config.background != "none":
            on_object = ~background_01(self._gray(image), self.config.background)
            allowed = on_object if allowed is None else allowed & on_object
        if self.material is not None:
            on_it = self.material.allowed(self._gray(image))
            allowed = on_it if allowed is None else allowed & on_it
        return allowed

    def _gray(self, image: ImageRecord) -> np.ndarray:
        return read_record(self.dataset, image, gray=True)

    def _keep(self, what: str, image: ImageRecord, make: Callable[[ImageRecord], Any]) -> Any:
        key = (what, image.id)
        if key not in self._kept:
            self._kept[key] = make(image)
            if len(self._kept) > 2 * KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


@dataclass(frozen=True, eq=False)
class Corners:
    """Corners (x, y) of a room (first and last x, first and last y); ``legal``: flat indices of those allowed."""

    room: tuple[int, int, int, int]
    legal: np.ndarray | None = None

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """One of them, each with equal chance."""
        first_x, last_x, first_y, last_y = self.room
        if self.legal is None:
            return int(rng.integers(first_x, last_x + 1)), int(rng.integers(first_y, last_y + 1))
        row, column = divmod(int(self.legal[int(rng.integers(len(self.legal)))]), last_x - first_x + 1)
        return first_x + column, first_y + row

    def nearest(self, x: float, y: float) -> tuple[int, int]:
        """The one nearest to (x, y)."""
        first_x, last_x, first_y, last_y = self.room
        if self.legal is None:
            return min(max(round(x), first_x), last_x), min(max(round(y), first_y), last_y)
        rows, columns = np.divmod(self.legal, last_x - first_x + 1)
        best = int(np.argmin((columns + first_x - x) ** 2 + (rows + first_y - y) ** 2))
        return first_x + int(columns[best]), first_y + int(rows[best])


def open_placer(
    config: PlaceConfig,
    dataset: Dataset,
    category: str,
    real_masks: Sequence[Element],
    seed: int,
    regions: Regions | None = None,
    scenes: Scenes | None = None,
) -> Placer:
    """The placer of one category, learned from its real elements ``real_masks`` on the training photographs.

    Args:
        config: strategy and its numbers.
        dataset: the ingested data set.
        category: name of the category.
        real_masks: its real masks.
        seed: of every random choice made here.
        regions: where masks may lie; None: anywhere.
        scenes: photographs with their defects painted out, kept between calls; None: read anew.

    Returns:
        The placer.

    Raises:
        InputError: a photograph cannot be read.
    """
    ratio = None
    if config.strategy == "prior" and real_masks:
        ratio = learn_ratio(scenes or Scenes(dataset), real_masks, seed, config.shrinkage)
    return Placer(config, category, dataset, real_positions(real_masks), ratio, regions)


def learn_ratio(scenes: Scenes, real_masks: Sequence[Element], seed: int, shrinkage: float) -> PlaceRatio:
    """The prior of real places against any place on the same photographs, all defects painted out."""
    chosen = spread(real_masks, MOST_REAL)
    found = [places_of(scenes, real, seed) for real in chosen]
    return PlaceRatio.fit(
        np.stack([own for own, _ in found]),
        [real.parent_group for real in chosen],
        np.concatenate([other for _, other in found]),
        shrinkage,
    )


def spread(real_masks: Sequence[Element], most: int) -> list[Element]:
    """At most ``most`` elements, one of each object before a second of any; in their order."""
    turns: dict[str, int] = {}
    ranked = []
    for index, real in enumerate(real_masks):
        turns[real.parent_group] = turns.get(real.parent_group, -1) + 1
        ranked.append((turns[real.parent_group], index))
    return [real_masks[index] for index in sorted(index for _, index in sorted(ranked)[:most])]
