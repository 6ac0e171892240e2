"""The defects of one category as pictures and masks: real ones of the training split, and accepted generated ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ...core.images import read_record
from ...core.seeding import rng_for
from ...part.foreground import Foreground, find_foreground
from ...part.frame import Frame
from ...part.model import PartModel
from .poses import LEAST_GAIN, PLACE, Aspect, Likelihood, Pose, painted_out
from .visible import Faintness, visible
from .window import NEAR_PX, Window, window_around

LEAST_SHARE = 0.5
"""Where a smaller share of the real defects has a direction, the category has none."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Defect:
    """One labelled defect; its photograph is read when asked for, and only the window around it is kept."""

    dataset: Dataset
    image: ImageRecord
    annotation: Annotation
    others: tuple[Annotation, ...] = ()

    @property
    def group(self) -> str:
        return self.image.group_id

    @property
    def origin(self) -> str:
        """The object whose defect it is: of a generated one, where its texture or else its mask came from."""
        donors = (self.image.extra.get("provenance") or {}).get("donors") or []
        parent = self.annotation.provenance.get("parent_group")
        return str(donors[0]["group"] if len(donors) == 1 else parent or self.group)

    def pixels(self) -> np.ndarray:
        """The whole photograph, (H, W) uint8 where the data set is gray, else (H, W, 3)."""
        return read_record(self.dataset, self.image, self.dataset.gray)

    def mask(self) -> np.ndarray:
        """mask_01 (H, W) in the photograph's frame."""
        return self.annotation.mask()

    @cached_property
    def window(self) -> Window:
        """The defect with ``NEAR_PX`` around its box, clipped to the photograph."""
        others = (other.mask() for other in self.others if _touch(other.bbox, self.annotation.bbox))
        return window_around(self.pixels(), self.mask(), others)


def _touch(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two boxes [x, y, w, h] are less than ``NEAR_PX`` apart: a large photograph may hold thousands of them."""
    return all(
        max(one[at], other[at]) - min(one[at] + one[at + 2], other[at] + other[at + 2]) < NEAR_PX for at in (0, 1)
    )


def defects_of(dataset: Dataset, category: str, most: int, rng: np.random.Generator) -> list[Defect]:
    """Each photograph's largest defect of the category, by file name; ``most`` of them, drawn by ``rng``."""
    number = {item.name: item.id for item in dataset.categories}[category]
    of_image = dataset.by_image()
    found = [
        Defect(dataset, image, largest, tuple(item for item in of_image[image.id] if item is not largest))
        for image, largest in dataset.showing(number)
    ]
    if len(found) <= most:
        return found
    return [found[index] for index in sorted(rng.choice(len(found), most, replace=False))]


@dataclass
class RealDefects:
    """The real defects of the training split, category by category, and what has been measured of them so far."""

    train: Dataset
    most: int
    seed: int
    _found: dict[str, list[Defect]] = field(default_factory=dict)
    _values: dict[tuple[str, str], list[tuple[str, float]]] = field(default_factory=dict)
    _poses: dict[str, list[tuple[str, Pose]]] = field(default_factory=dict)
    _likelihoods: dict[tuple[str, str, int], Likelihood | None] = field(default_factory=dict)
    _faintness: dict[tuple[str, int], Faintness | None] = field(default_factory=dict)
    _posed: tuple[object, list[tuple[str, Pose]]] | None = None
    _looked_at: tuple[np.ndarray, tuple[Foreground, Frame] | None] | None = None

    def of(self, category: str) -> list[Defect]:
        if category not in self._found:
            rng = rng_for(self.seed, "gate", category, "real")
            self._found[category] = defects_of(self.train, category, self.most, rng)
        return self._found[category]

    def named(self, number: int) -> list[Defect]:
        """The same by the category's number."""
        return self.of(self.train.category_names()[number])

    def values(self, name: str, category: str, measure: Callable[[Defect], float | None]) -> list[tuple[str, float]]:
        """(object, value) of every real defect of the category that ``measure`` has a value for; measured once."""
        key = (name, category)
        if key not in self._values:
            self._values[key] = known(self.of(category), measure)
        return self._values[key]

    def poses(self, category: str) -> list[tuple[str, Pose]]:
        """(object, pose) of every real defect of the category, where it can be told; looked for once."""
        if category not in self._poses:
            found = [(defect.group, self._pose(defect)) for defect in self.of(category) if defect.annotation.area]
            self._poses[category] = [(group, pose) for group, pose in found if pose is not None]
        return self._poses[category]

    def likelihood(self, aspect: Aspect, category: str, objects: int) -> Likelihood | None:
        """Of one aspect of a pose under the category's real ones; fitted once. None with fewer than ``objects`` objects
        that have it, or where fewer than half of the real defects have; none of places on photographs without
        a part where real defects lie about anywhere."""
        key = (aspect.name, category, objects)
        if key not in self._likelihoods:
            real = self.poses(category)
            known = [(group, value) for group, pose in real if (value := aspect.of(pose)) is not None]
            groups = [group for group, _ in known]
            enough = len(set(groups)) >= objects and len(known) >= LEAST_SHARE * len(real)
            points = [value for _, value in known]
            found = Likelihood.fit(points, groups, aspect.narrowest) if enough else None
            anywhere = aspect is PLACE and self.part is None and found is not None and found.gain < LEAST_GAIN
            self._likelihoods[key] = None if anywhere else found
        return self._likelihoods[key]

    def faintness(self, category: str, objects: int) -> Faintness | None:
        """How clearly the category's real defects can be seen; looked at once. None with fewer than ``objects``
        objects."""
        key = (category, objects)
        if key not in self._faintness:
            found = [(defect.group, visible(defect.window)) for defect in self.of(category)]
            real = [(group, point) for group, point in found if point is not None]
            enough = len({group for group, _ in real}) >= objects
            points, groups = [point for _, point in real], [group for group, _ in real]
            self._faintness[key] = Faintness.fit(points, groups) if enough else None
        return self._faintness[key]

    def posed(self, owner: object, find: Callable[[], list[tuple[str, Pose]]]) -> list[tuple[str, Pose]]:
        """``find()``, remembered for the checks that ask of the same ``owner`` one after the other."""
        if self._posed is None or self._posed[0] is not owner:
            self._posed = owner, find()
        return self._posed[1]

    @cached_property
    def part(self) -> PartModel | None:
        """The part that the sound training photographs show; None where they show a texture."""
        gray = self.train.gray
        normals = {image.file_name: image for image in self.train.normals() if image.source == "real"}
        if not normals:
            return None
        found = PartModel.fit(
            sorted(normals), lambda name, _: find_foreground(read_record(self.train, normals[name], gray))
        )
        return None if isinstance(found, str) else found

    def part_on(self, pixels: np.ndarray) -> tuple[Foreground, Frame] | None:
        """The part on any photograph of the same kind; None where it shows none."""
        if self._looked_at is None or self._looked_at[0] is not pixels:
            part = None if self.part is None else find_foreground(pixels)
            self._looked_at = pixels, None if part is None or self.part is None else (part, self.part.frame(part))
        return self._looked_at[1]

    def _pose(self, defect: Defect) -> Pose | None:
        mask = defect.mask()
        if self.part is None:
            return Pose.of(mask, None)
        # a bright scratch is a hole in the part, a bent tip no part of the sound one: what either shows is the part
        pixels = defect.pixels()
        shown = [part for one in (pixels, painted_out(pixels, mask)) if (part := find_foreground(one)) is not None]
        if not shown:
            return None
        whole = shown[0] if len(shown) == 1 else shown[0].joined(shown[1])
        return Pose.of(mask, (whole, self.part.frame(whole)))


def known(defects: Sequence[Defect], measure: Callable[[Defect], float | None]) -> list[tuple[str, float]]:
    """(object, value) of the defects that have one; of a generated one, the object whose defect it is."""
    found = [(defect.origin, measure(defect)) for defect in defects]
    return [(group, value) for group, value in found if value is not None and np.isfinite(value)]
