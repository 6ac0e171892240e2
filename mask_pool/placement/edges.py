"""How near to the edge of their surface the real masks of a category lie, and masks placed alike.

Where photographs show no part, the surface itself is it: a tile that fills its photograph, or ends at a dark gap before
that. A break is at its edge and nowhere else. Whether a category keeps to the edge is tested: of each real mask, the
share of all places in its photograph that are nearer to the border than its own; where these are too small in the mean
of the objects (0.5 is anywhere), masks keep the side they face and their distance to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from anomaly_gan.part.surface import SIDES, Surface

from ..elements.real import Element
from ..recombination.recombine import Canvas, Turned
from ..recombination.shaping import Shaper
from .real_masks import Scenes

SIGNIFICANT = 0.05
LEAN_DEGREES = 15.0
"""By no more is a mask turned against the edge it lies at."""
AT_ONCE_PX = 2.0
"""What begins so near to the edge begins at it."""
WIDER = 0.3
"""Standard deviation of what the logarithm of a larger distance is changed by."""
UNSEEN = 0.25
"""Objects that a side at which none was seen counts for."""
NAMES = ("top", "right", "bottom", "left")
KEPT = 64
TRIES = 16


@dataclass(frozen=True)
class Met:
    """The side (of ``SIDES``) that a real mask faces, how far ``inside`` the surface it begins there (pixels, below 0
    in the gap beside it), and where ``along`` the side it is (0 to 1 from the left or upper end)."""

    side: int
    inside: float
    along: float


@dataclass(frozen=True, eq=False)
class EdgeHabits:
    """Of a category that keeps to the edge: ``met`` by element, ``chances`` (4,) of the sides, ``p`` of the test.
    ``surface``: photograph's file name → its surface."""

    met: dict[int | str, Met]
    chances: np.ndarray
    p: float
    surface: Any

    @classmethod
    def learn(cls, scenes: Scenes, elements: Sequence[Element]) -> EdgeHabits | None:
        """From the real masks on their photographs; None where they lie anywhere."""
        p = keeps_to_the_edge(elements)
        if p >= SIGNIFICANT:
            return None
        surface = lru_cache(KEPT)(lambda name: Surface.of(scenes.gray(name)))
        met = {element.parent: meet(surface(element.parent_image), element) for element in elements}
        by_object: dict[str, list[int]] = {}
        for element in elements:
            by_object.setdefault(element.parent_group, []).append(met[element.parent].side)
        counts = np.sum([np.bincount(own, minlength=4) / len(own) for own in by_object.values()], axis=0)
        chances = (counts + UNSEEN) / (counts + UNSEEN).sum()
        return cls(met, chances, p, surface)

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "masks": len(self.met),
            "p": float(f"{self.p:.3g}"),
            "at_once": round(self._at_once(), 4),
            "within_px": round(float(np.quantile([one.inside for one in self.met.values()], 0.9)), 1),
            "sides": {name: round(float(share), 4) for name, share in zip(NAMES, self.chances, strict=True)},
            "short": f"{self._at_once():.0%} at it",
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What was learned, in one line."""
        sides = ", ".join(f"{name} {share:.0%}" for name, share in zip(NAMES, self.chances, strict=True))
        return f"at the edge of the surface (p = {self.p:.2g}): {self._at_once():.0%} begin at it; sides: {sides}"

    def _at_once(self) -> float:
        return float(np.mean([one.inside <= AT_ONCE_PX for one in self.met.values()]))


@dataclass
class AtEdge:
    """Draws for one photograph; ``turning`` and ``placing`` are called in turns, as ``recombine`` does. ``quarters``:
    the quarter turns that the category's directions allow; ``share`` of the masks are near to where along a side a real
    one was, the others anywhere along it."""

    habits: EdgeHabits
    shaper: Shaper
    surface: Surface
    canvas: Canvas
    rng: np.random.Generator
    severity: float | None
    quarters: frozenset[int]
    share: float
    jitter: float
    _pose: tuple[Met, int, float | None, Shaper] | None = field(default=None, repr=False)

    def turning(self, element: Element) -> Turned | None:
        """The element turned to the side drawn for it."""
        met, rules = self.habits.met[element.parent], self.shaper.rules
        mirrored = bool(self.rng.random() < 0.5) and rules.flip
        faces = (4 - met.side) % 4 if mirrored else met.side
        side = int(self.rng.choice(4, p=self.habits.chances))
        quarter = (side - faces) % 4
        if quarter not in self.quarters:
            side, quarter = faces, 0
        lean = 0.0 if element.cut_sides else min(LEAN_DEGREES, rules.rotation[1])
        base = (90.0 * quarter + 180) % 360 - 180
        posed = replace(
            self.shaper,
            rules=replace(rules, rotation=(base - lean, base + lean), flip=mirrored, keep_at_border=False),
            always_flip=True,
        )
        along = None if quarter % 2 else (1 - met.along if mirrored != (quarter == 2) and side % 2 == 0 else met.along)
        if along is not None and side % 2 and quarter == 2:
            along = 1 - met.along
        self._pose = met, side, along, posed
        return posed.shape(element, self.rng, self.severity)

    def placing(self, turned: Turned) -> tuple[int, int, dict[str, object]] | None:
        """Corner (x, y) of a place at the edge; None where there is none."""
        assert self._pose is not None
        met, side, along, posed = self._pose
        if not posed.obeys(turned):
            return None
        for _ in range(TRIES):
            near = along is not None and self.rng.random() < self.share
            where = along + self.rng.normal(0.0, self.jitter) if near and along is not None else self.rng.random()
            x, y = self._corner(turned.bitmap, side, float(where), self._inside(met))
            if self.canvas.is_free(turned.bitmap, x, y):
                inside = round(self.surface.inside(side, turned.bitmap, x, y), 1)
                return x, y, {"place": "edge", "side": NAMES[side], "inside": inside}
        return None

    def _inside(self, met: Met) -> float:
        if met.inside <= AT_ONCE_PX:
            return met.inside
        return met.inside * math.exp(self.rng.normal(0.0, WIDER))

    def _corner(self, bitmap: np.ndarray, side: int, along: float, inside: float) -> tuple[int, int]:
        height, width = bitmap.shape
        room = self.canvas.width - width, self.canvas.height - height
        across = 1 if side % 2 == 0 else 0
        free = room[1 - across] + 1
        length = (self.canvas.width, self.canvas.height)[1 - across]
        first = round(min(max(along * length - (width, height)[1 - across] / 2, 0), free - 1))
        depth = round(min(max(self.surface.edge(side, min(max(along, 0), 1)) + inside, 0), max(0, room[across])))
        outward = SIDES[side][across]
        second = depth if outward < 0 else room[across] - depth
        return (first, second) if across == 1 else (second, first)


def meet(surface: Surface, element: Element) -> Met:
    """How a real mask lies to the edge of its own photograph: by the side it is nearest to, of several the one at which
    most of it lies."""
    x, y, width, height = element.box
    gaps = [surface.inside(side, element.bitmap, x, y) for side in range(4)]
    rim = [element.bitmap[0].sum(), element.bitmap[:, -1].sum(), element.bitmap[-1].sum(), element.bitmap[:, 0].sum()]
    side = min(range(4), key=lambda at: (max(gaps[at], 0.0), -float(rim[at])))
    along = (x + width / 2) / surface.width if side % 2 == 0 else (y + height / 2) / surface.height
    return Met(side, float(gaps[side]), float(along))


def keeps_to_the_edge(elements: Sequence[Element]) -> float:
    """p, one-sided: that masks which lie anywhere are as near to their photographs' borders in the mean of the objects
    (normal approximation of the mean of uniform numbers)."""
    shares: dict[str, list[float]] = {}
    for element in elements:
        if (share := nearer(element)) is not None:
            shares.setdefault(element.parent_group, []).append(share)
    if not shares:
        return 1.0
    mean = float(np.mean([np.mean(own) for own in shares.values()]))
    return 0.5 * math.erfc((0.5 - mean) * math.sqrt(12 * len(shares)) / math.sqrt(2))


def nearer(element: Element) -> float | None:
    """Share of all places of a mask in its photograph that are nearer to the border, ties half; None where it has no
    room to be anywhere."""
    (height, width), (x, y, w, h) = element.parent_size, element.box
    rooms = width - w, height - h
    if min(rooms) < 2:
        return None
    gap = min(x, y, rooms[0] - x, rooms[1] - y)

    def beyond(least: int) -> float:
        """Share of the places at least so far from every side."""
        left = [max(0, room + 1 - 2 * least) for room in rooms]
        return left[0] * left[1] / ((rooms[0] + 1) * (rooms[1] + 1))

    return 1 - (beyond(gap) + beyond(gap + 1)) / 2
