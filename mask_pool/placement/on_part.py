"""Elements of one item on a part: each turned with it, and laid where its category lies on parts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.part.foreground import Foreground, as_foreground, find_foreground
from anomaly_gan.part.frame import Frame
from anomaly_gan.part.model import PartModel

from ..elements.real import Element
from ..recombination.recombine import Canvas, Turned
from ..recombination.shaping import Shaper
from .config import PlaceConfig
from .habits import Habits, Seen, centre_of, share_on
from .real_masks import Scenes
from .regions import Regions

TRIES = 16
"""Places tried for a turned element, each nearer to its own than the one before."""


@dataclass
class OnPart:
    """Draws for one photograph; ``turning`` and ``placing`` are called in turns, as ``recombine`` does."""

    habits: Habits
    shaper: Shaper
    part: Foreground
    frame: Frame
    canvas: Canvas
    rng: np.random.Generator
    severity: float | None
    _pose: tuple[Seen, bool, Shaper, np.ndarray] | None = field(default=None, repr=False)

    def turning(self, element: Element) -> Turned | None:
        """The element turned as the place drawn for it asks, within what its rules allow."""
        seen, rules = self.habits.seen[element.parent], self.shaper.rules
        mirrored = bool(self.rng.random() < 0.5) and rules.flip
        place = self.habits.draw(seen, self.frame, mirrored, 1.0, self.rng)
        there = self.frame.angle(place)
        # a mirror image across the direction here, turned to the direction there
        base = math.degrees(there + seen.angle + math.pi if mirrored else there - seen.angle)
        base = (base + 180) % 360 - 180
        ratio = self.frame.size / seen.size
        posed = replace(
            self.shaper,
            rules=replace(
                rules,
                rotation=(base + rules.rotation[0], base + rules.rotation[1]),
                flip=mirrored,
                scale=(rules.scale[0] * ratio, rules.scale[1] * ratio),
                keep_at_border=False,
            ),
            always_flip=True,
        )
        self._pose = seen, mirrored, posed, place
        return posed.shape(element, self.rng, self.severity)

    def placing(self, turned: Turned) -> tuple[int, int, dict[str, object]] | None:
        """Corner (x, y) of a place where it belongs; None where there is none."""
        assert self._pose is not None
        seen, mirrored, posed, place = self._pose
        if not posed.obeys(turned):
            return None
        middle = centre_of(turned.bitmap)
        for attempt in range(TRIES):
            if attempt:
                near = self.habits.draw(seen, self.frame, mirrored, 1 - attempt / (TRIES - 1), self.rng)
                # the element is already turned to where it is around the centre
                place = np.array([place[0], near[1]]) if self.habits.all_around else near
            x, y = np.rint(self.frame.point(place) - middle).astype(int).tolist()
            share = share_on(self.part, turned.bitmap, x, y)
            if (
                self.habits.belongs(share, seen)
                and self.canvas.is_free(turned.bitmap, x, y)
                and self.habits.whole(self.part, turned.bitmap, x, y)
            ):
                a, b = (round(float(value), 4) for value in place)
                return x, y, {"place": "part", "along": a, "across": b, "on_part": round(share, 4)}
        return None


def open_part(config: PlaceConfig, train: Dataset, scenes: Scenes, regions: Regions | None = None) -> PartModel | str:
    """The part that the sound photographs of ``train`` show, or in words why none is looked for or found.

    Raises:
        InputError: a photograph cannot be read; or the regions shall be the part, and there are none.
    """
    if config.strategy != "auto" or config.part == "none":
        return "no part is looked for"
    normals = sorted(image.file_name for image in train.normals() if image.source == "real")
    if config.part == "auto":
        return PartModel.fit(
            normals, lambda name, sound: find_foreground(scenes.sound(name) if sound else scenes.pixels(name))
        )
    if regions is None:
        raise InputError("pool.place.part", "MISSING", "regions: there are none", "give pool.place.regions")

    def drawn(name: str, _: bool) -> Foreground | None:
        allowed = regions.allowed(scenes.image(name), "")
        return None if allowed is None else as_foreground(allowed)

    return PartModel.fit(normals, drawn)
