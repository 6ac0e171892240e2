"""Building the items of the pool: each is a mask of one category on one normal photograph of the training split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_record
from anomaly_gan.core.masks import union
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.part.model import PartModel

from ..elements.real import Element
from ..placement.anchors import AnchorFinder
from ..placement.contents import contents_of
from ..placement.edges import AtEdge, EdgeHabits
from ..placement.habits import Habits
from ..placement.locations import place_on_anchors
from ..placement.materials import MaterialHabit
from ..placement.on_part import OnPart
from ..placement.placer import Placer, open_placer
from ..placement.real_masks import Scenes
from ..placement.regions import Regions
from ..placement.surroundings import Place, Surroundings
from ..recombination.recombine import Canvas, Placed, Turned, draw_number, recombine, unturned
from ..recombination.rules import Rules
from ..recombination.shaping import Shaper
from ..recombination.spread import Spread
from .config import PoolConfig

BASE_TRIES = 20
"""Normals tried for an item before its elements are taken as fitting none."""


@dataclass(frozen=True, eq=False)
class Item:
    """One mask of the pool: the normal photograph and the elements placed on it."""

    normal: ImageRecord
    placed: list[Placed]

    def mask(self) -> np.ndarray:
        """mask_01 (H, W): all elements together."""
        size_hw = self.normal.height, self.normal.width
        return union((placed.full_mask(*size_hw) for placed in self.placed), *size_hw)


@dataclass(frozen=True, eq=False)
class CategoryBuilder:
    """Makes the items of one category; item ``index`` depends on the seed, the category and the index alone.

    ``finder`` is set for fixed-shape categories, whose elements are only moved. ``placer`` says where elements go;
    what is on an anchor, at a border or on a part is not placed by it, but must be allowed by it. ``habits`` are set
    where the photographs show a part: elements lie on it as the category's real masks do; ``edges`` where they show
    none and the category keeps to the edge of the surface; ``contents`` there, where lines in the masks keep to a
    direction. ``surroundings``: on a part, and for masks without a direction, of several places the one is taken that
    looks around the mask as its own did.
    """

    category: str
    config: PoolConfig
    seed: int
    normals: Sequence[ImageRecord]
    prior: Sequence[Element]
    expert: Sequence[Element]
    placer: Placer
    surroundings: Surroundings
    finder: AnchorFinder | None = None
    habits: Habits | None = None
    edges: EdgeHabits | None = None
    contents: Spread | None = None

    def item(self, index: int, attempt: int = 0) -> Item:
        """Item ``index``, or another candidate for it (``attempt`` from 1 on).

        Raises:
            InputError: no element fits any of the normals tried (fixed-shape elements are never shrunk).
        """
        rng = rng_for(self.seed, "pool", self.category, index, *([attempt] if attempt else []))
        elements = self._elements(rng)
        number = draw_number(rng, *self.rules.elements)
        severity = self.shaper.draw_severity(rng)
        if self.finder is not None:
            on_anchors = self._on_anchors(self.finder, elements, number, rng)
            if on_anchors is not None:
                return on_anchors
        for _ in range(BASE_TRIES):
            normal = self._normal(rng)
            placed = self._anywhere(elements, number, normal, rng, severity)
            if len(placed) >= self.rules.fewest:
                return Item(normal, placed)
        raise InputError(
            f"pool[{self.category}]",
            "H9",
            "its masks, as its rules want them, fit none of the normal photographs tried",
            "ingest photographs of one scale, raise pool.max_area_share, or loosen "
            f"pool.rules.{self.category} or the legal regions",
        )

    def _elements(self, rng: np.random.Generator) -> Sequence[Element]:
        """What an item is made of: one kind, or both as likely."""
        share = self.config.expert_share
        if share == "mixed":
            most = max(len(self.prior), len(self.expert))
            return [*_repeated(self.prior, most), *_repeated(self.expert, most)]
        by_experts = rng.random() < share
        return (self.expert or self.prior) if by_experts else (self.prior or self.expert)

    @cached_property
    def rules(self) -> Rules:
        """What this category's masks must keep to."""
        return self.config.rules_of(self.category, self.spread)

    @cached_property
    def spread(self) -> Spread:
        """What the category's real masks show of direction and size (the experts', where there are no real ones); of
        direction against the part, where there is one."""
        if self.habits is not None:
            return self.habits.spread
        return Spread.of(self.prior or self.expert).keeping(self.contents)

    @cached_property
    def shaper(self) -> Shaper:
        return Shaper.of(self.rules, [*self.prior, *self.expert])

    def _normal(self, rng: np.random.Generator) -> ImageRecord:
        return self.normals[int(rng.integers(len(self.normals)))]

    def _canvas(self, normal: ImageRecord) -> Canvas:
        return Canvas(
            normal.height,
            normal.width,
            self.config.margin_px,
            self.config.gap_px,
            self.rules.max_area_share,
            lambda bitmap, x, y: self.placer.allows(bitmap, x, y, normal),
        )

    def _anywhere(
        self,
        elements: Sequence[Element],
        number: int,
        normal: ImageRecord,
        rng: np.random.Generator,
        severity: float | None,
    ) -> list[Placed]:
        canvas, fixed = self._canvas(normal), self.finder is not None or self.rules.fixed_shape
        if fixed:
            elements = _fitting(elements, canvas)
        elif not self.shaper.may_fit(canvas.height, canvas.width, canvas.area_left):
            return []
        if self.habits is not None and not fixed:
            return self._on_part(self.habits, elements, number, normal, canvas, rng, severity)
        if self.edges is not None and not fixed:
            return self._at_edge(self.edges, elements, number, normal, canvas, rng, severity)

        def turning(element: Element) -> Turned | None:
            return unturned(element) if fixed else self.shaper.shape(element, rng, severity)

        def placing(turned: Turned) -> Place | None:
            # what was made to fit the photograph may have become too small
            return self._place(turned, canvas, normal, rng, fixed) if self.shaper.obeys(turned) else None

        return recombine(elements, rng, canvas, number if elements else 0, turning, self._best(normal, placing))

    def _on_part(
        self,
        habits: Habits,
        elements: Sequence[Element],
        number: int,
        normal: ImageRecord,
        canvas: Canvas,
        rng: np.random.Generator,
        severity: float | None,
    ) -> list[Placed]:
        """Elements on the photograph's part; none where it shows none."""
        found = habits.model.on(normal.file_name)
        known = [element for element in elements if element.parent in habits.seen]
        if found is None or not known:
            return []
        drawing = OnPart(habits, self.shaper, *found, canvas, rng, severity)
        return recombine(known, rng, canvas, number, drawing.turning, self._best(normal, drawing.placing))

    def _at_edge(
        self,
        edges: EdgeHabits,
        elements: Sequence[Element],
        number: int,
        normal: ImageRecord,
        canvas: Canvas,
        rng: np.random.Generator,
        severity: float | None,
    ) -> list[Placed]:
        """Elements at the edge of the surface."""
        surface, place = edges.surface(normal.file_name), self.config.place
        drawing = AtEdge(edges, self.shaper, surface, canvas, rng, severity, self.quarters, place.share, place.jitter)
        return recombine(elements, rng, canvas, number, drawing.turning, drawing.placing)

    def _best(self, normal: ImageRecord, draw: Callable[[Turned], Place | None]) -> Callable[[Turned], Place | None]:
        """``draw``; with the strategy ``auto``, on a part and for masks without a direction, of several places the one
        with the most alike surroundings. Elsewhere that makes no difference, or lets a probe tell them."""
        if self.config.place.strategy != "auto" or (self.habits is None and self.spread.kind != "round"):
            return draw
        flat = self.habits is None
        return lambda turned: self.surroundings.best(turned, normal.file_name, draw, flat)

    @cached_property
    def quarters(self) -> frozenset[int]:
        """By how many quarters an element may be turned from its own direction: half a turn keeps a direction, unless
        the user forbids it; a quarter only where both are seen, or any is allowed, and no lines in the masks are turned
        across."""
        own, reach = self.config.rules.get(self.category), self.rules.rotation[1]
        given = self.config.rotation is not None or (own is not None and (own.rotation or own.fixed_orientation))
        half = reach >= 180 or not given
        both = self.spread.kind in ("crossed", "round") and self.spread.content is None
        quarter = reach >= 90 or (not given and both)
        return frozenset({0} | ({2} if half else set()) | ({1, 3} if quarter else set()))

    def _place(
        self, turned: Turned, canvas: Canvas, normal: ImageRecord, rng: np.random.Generator, fixed: bool
    ) -> tuple[int, int, dict[str, object]] | None:
        at_border = self.config.keep_at_border and not fixed and turned.straight_cut()
        if not at_border:
            return self.placer.place(turned, canvas, normal, rng)
        found = self.placer.place(turned, canvas, normal, rng, at_border=True)
        return (*found[:2], {**found[2], "at_border": True}) if found is not None else None

    def _on_anchors(
        self, finder: AnchorFinder, elements: Sequence[Element], number: int, rng: np.random.Generator
    ) -> Item | None:
        """An item on anchors, or, after several normals without one, on a photograph where experts marked some."""
        marked = [image for image in self.normals if image.id in finder.marked]
        for attempt in range(self.config.anchor_tries + 1):
            last = attempt == self.config.anchor_tries
            if not (marked if last else finder.marked):
                return None
            normal = marked[int(rng.integers(len(marked)))] if last else self._normal(rng)
            placed = place_on_anchors(elements, finder.anchors(normal), rng, self._canvas(normal), number)
            if placed and len(placed) >= self.rules.fewest:
                return Item(normal, placed)
        return None


def _repeated(elements: Sequence[Element], count: int) -> list[Element]:
    return [elements[number % len(elements)] for number in range(count)] if elements else []


def _fitting(elements: Sequence[Element], canvas: Canvas) -> list[Element]:
    """The elements that the photograph has room for as they are."""
    return [
        element for element in elements if canvas.room(element.bitmap) is not None and element.area <= canvas.area_left
    ]


def open_builder(
    category: str,
    config: PoolConfig,
    seed: int,
    train: Dataset,
    prior: Sequence[Element],
    expert: Sequence[Element],
    marks: Sequence[Element] = (),
    regions: Regions | None = None,
    scenes: Scenes | None = None,
    part: PartModel | None = None,
) -> CategoryBuilder:
    """The builder of one category over the training split ``train``; ``marks`` show where a fixed object sits, ``part``
    what the photographs show.

    ``scenes`` keeps painted-out photographs of ``train`` between categories.

    Args:
        category: name of the category.
        config: the section of the configuration.
        seed: of every random choice made here.
        train: the training split.
        prior: masks cut from real defects.
        expert: masks that experts drew.
        marks: where objects of fixed shape sit.
        regions: where masks may lie; None: anywhere.
        scenes: photographs with their defects painted out, kept between calls; None: read anew.
        part: what the photographs show of the part; None: no part.

    Returns:
        The builder: item number -> item.

    Raises:
        InputError: the training split has no normal photograph, or the category no element.
    """
    normals = sorted((image for image in train.normals() if image.source == "real"), key=lambda image: image.file_name)
    if not normals:
        raise InputError(
            str(train.folder / "annotations.json"),
            "E7",
            "the training split has no normal photograph",
            "ingest photographs without defects too",
        )
    if not prior and not expert:
        raise InputError(
            f"pool[{category}]",
            "E7",
            "the training split holds no mask of this category",
            "label some, give experts' drawings (pool.expert_dir), or leave the category out",
        )
    fixed = config.rules_of(category).fixed_shape
    # a fixed object off its anchors may be anywhere: where it was missing elsewhere says nothing about this photograph
    place = config.place.model_copy(update={"strategy": "random"}) if fixed else config.place
    placer = open_placer(place, train, category, prior, seed, regions, scenes)
    habits = None
    if part is not None and not fixed:
        habits = Habits.learn(part, [*prior, *expert], Spread.of(prior or expert))
    edges, scenes = None, scenes or Scenes(train)
    if part is None and not fixed and place.strategy == "auto":
        if place.edge == "auto":
            edges = EdgeHabits.learn(scenes, [*prior, *expert])
        if place.part == "auto" and regions is None:
            placer = replace(placer, material=MaterialHabit.learn(scenes, [*prior, *expert]))
    contents = contents_of(scenes, prior) if prior and habits is None and not fixed else None
    return CategoryBuilder(
        category,
        config,
        seed,
        normals,
        prior,
        expert,
        placer,
        Surroundings(lambda file: scenes.gray(file) if file in scenes else None),
        open_finder(config, train, marks) if fixed and place.snap else None,
        habits,
        edges,
        contents,
    )


def open_finder(config: PoolConfig, train: Dataset, marks: Sequence[Element]) -> AnchorFinder:
    """The anchor finder of one category; ``marks`` are the experts' drawings of it, best first."""
    return AnchorFinder(
        marks,
        {image.file_name: image for image in train.images},
        lambda image: read_record(train, image, gray=True),
        templates=config.anchor_templates,
        least_score=config.anchor_score,
        scales=config.anchor_scales,
        margin=config.anchor_margin,
    )
