"""How real defects of a category differ in direction and size, and how far a mask may depart from its own.

Directions are axial (a line has no head), so angles are doubled before they are averaged (Mardia and Jupp 2000,
section 9.4); crossed directions show at four times the angle. One vector for each physical object: an object that was
photographed ten times is one witness. The kernel is half as wide as the normal reference rule's (Silverman 1986), which
smooths too much, plus half the error of the mean, with a spread that is pulled towards a wide one while objects are
few.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from anomaly_gan.core.masks import Axes

from ..elements.real import Element

ELONGATED = 1.5
"""Masks less long than this many times their width have no direction."""
DIRECTED_SHARE = 1 / 3
"""Least share of the masks that must have a direction before the category is asked for one."""
SIGNIFICANT = 0.05
ENOUGH_OBJECTS = 8
"""Objects from which on "no preferred direction found" is taken as "there is none"."""
PRIOR_OBJECTS, PRIOR_DEGREES, PRIOR_LOG_SIZE = 2.0, 25.0, 0.25
"""What is believed before anything is seen, and how many objects that is worth."""
LEAST_DEGREES = 2.0
MOST_LOG_SIZE = math.log(2.0)
MOST_ELEMENTS, OF_PHOTOGRAPHS = 3, 0.9
"""Most elements of one item, and the share of the real photographs that show no more than are wanted."""
SAYS_NOTHING = 60.0
"""A kernel of this many degrees to either side may as well turn freely."""


@dataclass(frozen=True)
class Spread:
    """What the masks of a category show, and what is made of it.

    ``kind``: ``preferred`` (one direction), ``crossed`` (two at right angles), ``free`` (none), ``round`` (the masks
    have no direction), ``few`` (too few objects to tell). ``axis_deg`` in (-90, 90], ``p`` of the test that decided.
    ``rotation`` is ± degrees and ``scale`` a range, both about an element's own; ``flip``: whether a left-right mirror
    image keeps the direction; ``number``: the most elements that a photograph shows, outliers left aside. ``content``:
    what the lines in the masks show, where they keep to one direction whatever the masks' own.
    """

    kind: str
    objects: int
    directed: int
    axis_deg: float | None
    spread_deg: float | None
    p: float | None
    rotation: float
    scale: tuple[float, float]
    flip: bool
    number: int = 1
    content: Spread | None = None

    @classmethod
    def of(cls, elements: Sequence[Element]) -> Spread:
        """From the real masks of one category (at least one)."""
        found = cls._of_shapes(elements, _scale(elements))
        return replace(found, number=_number(elements))

    @classmethod
    def _of_shapes(cls, elements: Sequence[Element], scale: tuple[float, float]) -> Spread:
        axes = [Axes.of(element.bitmap) for element in elements]
        directed = [at for at, main in enumerate(axes) if main.ratio >= ELONGATED]
        objects = len({elements[at].parent_group for at in directed})
        if len(directed) < DIRECTED_SHARE * len(elements):
            return cls("round", objects, len(directed), None, None, None, 180.0, scale, True)
        angles = np.radians([axes[at].degrees for at in directed])
        groups = [elements[at].parent_group for at in directed]
        return cls.of_angles(angles, groups, scale)

    @classmethod
    def of_angles(cls, angles: np.ndarray, groups: Sequence[str], scale: tuple[float, float]) -> Spread:
        """From axial directions (N,) in radians of masks of the objects ``groups`` (N,); there may be none."""
        objects = len(set(groups))
        means = {order: _mean_vector(angles, groups, order) for order in (2, 4)}
        chances = {order: rayleigh(abs(mean), objects) for order, mean in means.items()}
        order = 2 if chances[2] <= chances[4] else 4
        p = min(1.0, 2 * chances[order])  # the better of two tests
        if p >= SIGNIFICANT:
            order = 2
        mean = means[order]
        spread = _spread_degrees(abs(mean), order)
        kernel = kernel_width(spread, objects, PRIOR_DEGREES) + LEAST_DEGREES
        rotation = math.sqrt(3) * kernel
        axis = math.degrees(np.angle(mean)) / order
        if p < SIGNIFICANT:
            kind = "preferred" if order == 2 else "crossed"
        else:
            kind = "free" if objects >= ENOUGH_OBJECTS else "few"
        if kind == "free" or rotation >= SAYS_NOTHING:
            return cls(kind, objects, len(angles), round(axis, 2), round(spread, 2), p, 180.0, scale, True)
        # a mirror image takes the axis a to -a
        turned = abs((2 * axis + 180 / order) % (360 / order) - 180 / order)
        kept = turned <= max(kernel, LEAST_DEGREES * 2)
        return cls(kind, objects, len(angles), round(axis, 2), round(spread, 2), p, round(rotation, 2), scale, kept)

    def keeping(self, content: Spread | None) -> Spread:
        """The same, turned and mirrored no further than the lines in the masks allow."""
        if content is None:
            return self
        rotation, flip = min(self.rotation, content.rotation), self.flip and content.flip
        return replace(self, rotation=rotation, flip=flip, content=content)

    def record(self) -> dict[str, object]:
        """For JSON."""
        found = {**asdict(self), "content": None if self.content is None else self.content.record()}
        return {**found, "p": None if self.p is None else float(f"{self.p:.3g}"), "scale": list(self.scale)}

    def sentence(self) -> str:
        """What was inferred, in one line."""
        if self.content is not None:
            own, lines = replace(self, content=None, rotation=self.content.rotation), self.content
            if self.kind in ("round", "free", "few"):
                own = replace(own, rotation=180.0)
            return (
                f"{own.sentence()}; but lines in them run along {lines.axis_deg:.0f}° in {lines.objects} objects "
                f"(spread {lines.spread_deg:.0f}°, p = {lines.p:.2g}): turned by ±{self.rotation:.0f}°, never across"
            )
        size = f"sizes × {self.scale[0]:g} to {self.scale[1]:g}"
        seen = f"{self.objects} object{'s' if self.objects != 1 else ''}"
        if self.kind == "round":
            return f"masks without a direction, turned freely; {size}"
        if self.kind in ("free", "few") and self.rotation == 180.0:
            return f"no preferred direction in {seen} (p = {self.p:.2g}), turned freely; {size}"
        mirror = "mirrored" if self.flip else "not mirrored"
        if self.kind == "few":
            return f"{seen} cannot tell a direction, turned by ±{self.rotation:.0f}° about their own, {mirror}; {size}"
        also = " and across it" if self.kind == "crossed" else ""
        return (
            f"along {self.axis_deg:.0f}°{also} in {seen} (spread {self.spread_deg:.0f}°, p = {self.p:.2g}), "
            f"turned by ±{self.rotation:.0f}° about their own, {mirror}; {size}"
        )


def rayleigh(resultant: float, count: int) -> float:
    """Chance of a mean resultant length of at least this among ``count`` uniform directions (Zar 1999, eq. 27.4)."""
    if count < 2:
        return 1.0
    total = resultant * count
    return min(1.0, math.exp(math.sqrt(1 + 4 * count + 4 * (count**2 - total**2)) - (1 + 2 * count)))


def _mean_vector(angles: np.ndarray, groups: Sequence[str], order: int) -> complex:
    """Mean of exp(i · order · angle), every object with the same weight."""
    if not len(angles):
        return 0j
    of_object: dict[str, list[complex]] = {}
    for angle, group in zip(angles, groups, strict=True):
        of_object.setdefault(group, []).append(complex(np.exp(1j * order * angle)))
    return complex(np.mean([np.mean(own) for own in of_object.values()]))


def _spread_degrees(resultant: float, order: int) -> float:
    """Circular standard deviation of directions, at most that of none preferred."""
    most = math.degrees(math.pi / math.sqrt(3)) / order
    return min(most, math.degrees(math.sqrt(-2 * math.log(max(resultant, 1e-9)))) / order)


def kernel_width(spread: float, objects: int, believed: float) -> float:
    """Standard deviation of what is added to an element's own value."""
    known = max(0, objects - 1)
    wide = math.sqrt((PRIOR_OBJECTS * believed**2 + known * spread**2) / (PRIOR_OBJECTS + known))
    return wide * math.sqrt(max(1, objects) ** -0.4 / 4 + 0.5 / max(1, objects))


def _scale(elements: Sequence[Element]) -> tuple[float, float]:
    sizes = np.log([math.sqrt(element.area) for element in elements])
    objects = len({element.parent_group for element in elements})
    kernel = kernel_width(float(sizes.std(ddof=1)) if len(sizes) > 1 else 0.0, objects, PRIOR_LOG_SIZE)
    reach = min(math.sqrt(3) * kernel, MOST_LOG_SIZE)
    return round(math.exp(-reach), 3), round(math.exp(reach), 3)


def _number(elements: Sequence[Element]) -> int:
    counts = list(Counter(element.parent_image for element in elements).values())
    return int(np.clip(np.quantile(counts, OF_PHOTOGRAPHS, method="inverted_cdf"), 1, MOST_ELEMENTS))
