"""Where on the part the real masks of a category lie, and how they are turned to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomaly_gan.core.masks import Axes
from anomaly_gan.part.foreground import Foreground
from anomaly_gan.part.frame import Frame
from anomaly_gan.part.model import PartModel

from ..elements.real import Element
from ..recombination.spread import ELONGATED, Spread, kernel_width, rayleigh

PRIOR_PLACE = 0.05
"""Spread of places (shares of the part's length, or width) believed in before any is seen."""
LEAST_QUANTILE = 0.05
"""Of the real masks' shares on the part; less is no place for this category."""
SHARE_SLACK = 0.15
"""How far a mask's share on the part may depart from its parent's."""
LEAVE_CRUMBS = 0.6
"""Least share of the real masks that cut small pieces off their part before drawn ones may."""
BOTH_SIDES = 0.2
"""Least share of the masks on either side of the axis before they are mirrored across it."""
POINTS = 1024
"""Pixels of a mask at which its share on the part is counted."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One real mask on its own part: its place (2,), the direction there, the part's size, its share on it, and
    whether it cuts a small piece off the part."""

    place: np.ndarray
    angle: float
    size: float
    share: float
    crumb: bool = False


@dataclass(frozen=True, eq=False)
class Habits:
    """Of one category. ``seen`` by element; ``kernel`` (2,): standard deviations of what is added to a place;
    ``all_around``: a compact part's masks lie in no preferred direction from its centre; ``least_share`` on the part;
    ``crumbs``: masks may cut small pieces off the part, as real ones do.
    """

    model: PartModel
    seen: dict[int | str, Seen]
    spread: Spread
    kernel: np.ndarray
    all_around: bool
    least_share: float
    crumbs: bool = False

    @classmethod
    def learn(cls, model: PartModel, elements: Sequence[Element], spread: Spread) -> Habits | None:
        """From the real masks, on the photographs they were cut from; None where these show no part."""
        found = {element.parent: _look(model, element) for element in elements}
        kept = [element for element in elements if found[element.parent] is not None]
        whole = [element for element in kept if not element.cut_sides] or kept
        seen = {element.parent: one for element in whole if (one := found[element.parent]) is not None}
        if not seen:
            return None
        places = np.array([seen[element.parent].place for element in whole])
        groups = [element.parent_group for element in whole]
        around = model.kind == "round" and _chance_of_angle(places[:, 0], groups) >= 0.05
        about = [angle - seen[element.parent].angle for element, angle in _axes(whole)]
        directed = [element.parent_group for element, _ in _axes(whole)]
        turned = Spread.of_angles(np.array(about), directed, spread.scale)
        shares = [seen[element.parent].share for element in whole]
        return cls(
            model,
            seen,
            replace(turned, number=spread.number, flip=_mirrored(model, places, around)),
            np.array([_place_kernel(places[:, axis], groups) for axis in (0, 1)]),
            around,
            float(np.quantile(shares, LEAST_QUANTILE)),
            float(np.mean([seen[element.parent].crumb for element in whole])) > LEAVE_CRUMBS,
        )

    def draw(self, seen: Seen, frame: Frame, mirrored: bool, nearness: float, rng: np.random.Generator) -> np.ndarray:
        """A place (a, b) on another part near where a mask was; ``nearness`` 1 as near as real ones lie, 0 the same."""
        place = seen.place + nearness * rng.normal(0.0, 1.0, 2) * self.kernel
        if self.all_around:
            place[0] = rng.uniform(-math.pi, math.pi)
        if mirrored and frame.kind == "axis":
            place[1] = -place[1]
        return place

    def belongs(self, share: float, seen: Seen) -> bool:
        """Whether so much of a mask on the part is as it is with the real ones."""
        if share < max(self.least_share, seen.share - SHARE_SLACK):
            return False
        return seen.share >= 1 - SHARE_SLACK or share <= seen.share + SHARE_SLACK

    def whole(self, part: Foreground, bitmap: np.ndarray, x: int, y: int) -> bool:
        """Whether a mask, its corner at pixel (x, y), leaves the part in one piece, or real ones do not either."""
        return self.crumbs or not part.leaves_a_crumb(bitmap, x, y)

    def record(self) -> dict[str, object]:
        """For JSON."""
        places = np.array([one.place for one in self.seen.values()])
        return {
            "kind": self.model.kind,
            "masks": len(self.seen),
            "least_share": round(self.least_share, 4),
            "median_share": round(float(np.median([one.share for one in self.seen.values()])), 4),
            "along": [round(float(value), 4) for value in np.quantile(places[:, 0], (0.05, 0.5, 0.95))],
            "across": [round(float(value), 4) for value in np.quantile(places[:, 1], (0.05, 0.5, 0.95))],
            "jitter": [round(float(value), 4) for value in self.kernel],
            "all_around": bool(self.all_around),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What was learned, in one line."""
        places = np.array([one.place for one in self.seen.values()])
        (a, b), (c, d) = np.quantile(places[:, 0], (0.05, 0.95)), np.quantile(places[:, 1], (0.05, 0.95))
        where = {
            "axis": f"{a:.0%} to {b:.0%} along the part, {c:+.0%} to {d:+.0%} of the way from its axis to its sides",
            "round": f"{c:.0%} to {d:.0%} of the way from its centre to its outline"
            + (", all around" if self.all_around else ""),
            "fixed": f"x {a:+.2f} to {b:+.2f}, y {c:+.2f} to {d:+.2f} part sizes from its centre",
        }[self.model.kind]
        return f"on the part: {where}; at least {self.least_share:.0%} of a mask on it; turned with it"


def share_on(part: Foreground, bitmap: np.ndarray, x: int, y: int) -> float:
    """Share of a bitmap's pixels (its corner at (x, y) of the photograph) that lie on the part."""
    rows, columns = np.nonzero(bitmap)
    step = max(1, len(rows) // POINTS)
    return float(part.under(rows[::step] + y, columns[::step] + x).mean())


def centre_of(bitmap: np.ndarray) -> np.ndarray:
    """Centroid (x, y) of a non-empty bitmap."""
    rows, columns = np.nonzero(bitmap)
    return np.array([columns.mean(), rows.mean()])


def _look(model: PartModel, element: Element) -> Seen | None:
    # a bright scratch is a hole in the part, a bent tip no part of the sound one: what either shows is the part
    shown = [part for sound in (False, True) if (part := model.look(element.parent_image, sound)) is not None]
    if not shown:
        return None
    part = shown[0] if len(shown) == 1 else shown[0].joined(shown[1])
    frame = model.frame(part)
    x, y, _, _ = element.box
    place = frame.locate(centre_of(element.bitmap) + np.array([x, y]))
    share, crumb = share_on(part, element.bitmap, x, y), part.leaves_a_crumb(element.bitmap, x, y)
    return Seen(place, frame.angle(place), frame.size, share, crumb)


def _axes(elements: Sequence[Element]) -> list[tuple[Element, float]]:
    """The elements that have a direction, and it, in radians."""
    found = []
    for element in elements:
        main = Axes.of(element.bitmap)
        if main.ratio >= ELONGATED:
            found.append((element, math.radians(main.degrees)))
    return found


def _mirrored(model: PartModel, places: np.ndarray, around: bool) -> bool:
    if model.kind != "axis":
        return around
    below = float((places[:, 1] < 0).mean())
    return min(below, 1 - below) >= BOTH_SIDES


def _place_kernel(values: np.ndarray, groups: Sequence[str]) -> float:
    return kernel_width(float(values.std()), len(set(groups)), PRIOR_PLACE)


def _chance_of_angle(angles: np.ndarray, groups: Sequence[str]) -> float:
    """Rayleigh's test of the directions from the centre, one for each object."""
    means = [
        np.mean(np.exp(1j * angles[[at for at, own in enumerate(groups) if own == group]])) for group in set(groups)
    ]
    return rayleigh(float(abs(np.mean(means))), len(means))
