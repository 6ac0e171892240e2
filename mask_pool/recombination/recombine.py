"""Turning elements and putting them together on one photograph without overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from anomaly_gan.core.masks import Axes, grow

from ..elements.real import Element, tight
from . import deform
from .severity import measure

FIT_STEPS = 12
"""Shrinking steps until a turned element fits its photograph; each takes off at least 2 %, most need one."""
PLACE_TRIES = 10
"""Draws of element, turn and place before an item goes without a further element."""


@dataclass(frozen=True, eq=False)
class Turned:
    """An element after its linear transform: tight mask_01 and the 2x3 affine parent pixel -> bitmap pixel."""

    element: Element
    bitmap: np.ndarray
    affine: np.ndarray
    transforms: dict[str, Any] = field(default_factory=dict)

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.bitmap))

    def cut_sides(self) -> list[tuple[int, int]]:
        """Outward directions (x, y) of the sides at which the element was cut off, after the turn."""
        turned = [
            np.rint(self.affine[:, :2] @ side / np.abs(self.affine[:, :2] @ side).max())
            for side in self.element.cut_sides
        ]
        return [(int(x), int(y)) for x, y in turned]

    def straight_cut(self) -> bool:
        """Whether a border cut the element off, and the turn was by quarters, so that it can lie at a border again."""
        return bool(self.element.cut_sides) and self.transforms["rotation_deg"] % 90 == 0


@dataclass(frozen=True, eq=False)
class Placed:
    """A turned element with its top left corner at pixel (x, y) of the photograph."""

    turned: Turned
    x: int
    y: int
    place: dict[str, Any]

    def full_mask(self, height: int, width: int) -> np.ndarray:
        """mask_01 (height, width) in the frame of the photograph."""
        mask_01 = np.zeros((height, width), np.uint8)
        h, w = self.turned.bitmap.shape
        mask_01[self.y : self.y + h, self.x : self.x + w] = self.turned.bitmap
        return mask_01

    def affine(self) -> list[list[float]]:
        """2x3, parent photograph pixel -> this photograph's pixel; pixel centres have whole coordinates."""
        moved = self.turned.affine.copy()
        moved[:, 2] += (self.x, self.y)
        return [[round(float(value), 9) for value in row] for row in moved]


class Canvas:
    """The photograph's pixels that are still free for elements.

    Args:
        height, width: size of the photograph in pixels.
        margin_px: pixels at the border that stay free (less where the photograph is too small for it).
        gap_px: free pixels around every element that was put down.
        max_area_share: largest share of the photograph that may be covered.
        allows: whether a bitmap may lie with its corner at (x, y), for what else must be kept to (legal regions).
    """

    def __init__(
        self,
        height: int,
        width: int,
        margin_px: int,
        gap_px: int,
        max_area_share: float,
        allows: Callable[[np.ndarray, int, int], bool] | None = None,
    ) -> None:
        self.height, self.width, self.gap_px, self._allows = height, width, gap_px, allows
        self.margin_px = max(0, min(margin_px, (min(height, width) - 1) // 2))
        self.area_left = max(1, math.floor(max_area_share * height * width))
        self._blocked = np.zeros((height, width), bool)

    def room(self, bitmap: np.ndarray) -> tuple[int, int, int, int] | None:
        """First and last x, first and last y at which the bitmap lies inside; None where it is too large."""
        h, w = bitmap.shape
        last_x, last_y = self.width - self.margin_px - w, self.height - self.margin_px - h
        if last_x < self.margin_px or last_y < self.margin_px:
            return None
        return self.margin_px, last_x, self.margin_px, last_y

    def is_free(self, bitmap: np.ndarray, x: int, y: int) -> bool:
        """Whether the bitmap may lie with its corner at (x, y): inside, apart from the others, not too much."""
        h, w = bitmap.shape
        if x < 0 or y < 0 or x + w > self.width or y + h > self.height:
            return False
        if int(np.count_nonzero(bitmap)) > self.area_left:
            return False
        if np.any(self._blocked[y : y + h, x : x + w] & (bitmap != 0)):
            return False
        return self._allows is None or self._allows(bitmap, x, y)

    def put(self, bitmap: np.ndarray, x: int, y: int) -> None:
        """Take the bitmap's pixels and the gap around them."""
        gap, (h, w) = self.gap_px, bitmap.shape
        grown = grow(np.pad(bitmap, gap), gap) != 0
        left, top = max(0, x - gap), max(0, y - gap)
        right, bottom = min(self.width, x + w + gap), min(self.height, y + h + gap)
        self._blocked[top:bottom, left:right] |= grown[
            top - y + gap : bottom - y + gap, left - x + gap : right - x + gap
        ]
        self.area_left -= int(np.count_nonzero(bitmap))


def turn(element: Element, rotation_deg: float, scale: float, flip: bool, stretch: float = 1.0) -> Turned | None:
    """Stretch, mirror (left-right), scale and rotate an element about its centre, as one affine; None if lost.

    Only the element's own box is warped (linear, cut at one half). ``stretch`` is the factor by which the element's
    elongation grows: along its main axis by the root of it, across by as much less, so that the area stays.
    """
    rotation_deg, scale, stretch = round(rotation_deg, 6), round(scale, 6), round(stretch, 6)
    angle = math.radians(rotation_deg)
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = linear @ np.diag([-1.0 if flip else 1.0, 1.0])
    if stretch != 1.0:
        linear = linear @ _stretching(element, stretch)
    linear = np.round(linear, 9)
    height, width = element.bitmap.shape
    out_w, out_h = (np.ceil(np.abs(linear) @ (width, height)) + 2).astype(int)
    own_centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.round(np.array([(out_w - 1) / 2, (out_h - 1) / 2]) - linear @ own_centre, 9)
    grey = cv2.warpAffine(
        element.bitmap * np.uint8(255),
        np.column_stack([linear, shift]),
        (int(out_w), int(out_h)),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    warped = (grey > 127).astype(np.uint8)
    if not warped.any():
        return None
    (x, y, _, _), bitmap = tight(warped)
    from_parent = shift - linear @ np.array(element.box[:2], float) - (x, y)
    done = {"rotation_deg": rotation_deg, "scale": scale, "flip": flip}
    return Turned(
        element,
        bitmap,
        np.column_stack([linear, from_parent]),
        done if stretch == 1.0 else {**done, "stretch": stretch},
    )


def _stretching(element: Element, stretch: float) -> np.ndarray:
    """Linear map (2, 2) along the main axis; along the nearest side where a border cut the element off, so that its
    straight edge stays straight."""
    axis = Axes.of(element.bitmap).degrees
    angle = math.radians(90.0 * round(axis / 90) if element.cut_sides else round(axis, 6))
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return turned @ np.diag([math.sqrt(stretch), 1 / math.sqrt(stretch)]) @ turned.T


def unturned(element: Element) -> Turned:
    """The element as it is: a pure translation, for fixed-shape categories."""
    x, y, _, _ = element.box
    return Turned(
        element,
        element.bitmap,
        np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]]),
        {"rotation_deg": 0.0, "scale": 1.0, "flip": False},
    )


def remake(element: Element, transforms: Mapping[str, Any]) -> Turned | None:
    """The element after what ``transforms`` says, as a pool's provenance holds it; None if nothing is left.

    The affine is the linear part alone; the deformations after it are named in ``transforms["deform"]``, each with
    its parameters and its own seed, in order. Keys that name no transform (the place, the severity) are kept.
    """
    turned = turn(
        element, transforms["rotation_deg"], transforms["scale"], transforms["flip"], transforms.get("stretch", 1.0)
    )
    if turned is None:
        return None
    bitmap, affine, steps = turned.bitmap, turned.affine.copy(), []
    for step in transforms.get("deform", []):
        done = deform.apply(bitmap, step)
        bitmap = done.bitmap
        affine[:, 2] -= done.corner
        steps.append(done.record)
    changed = {**transforms, **turned.transforms}
    if steps:
        changed["deform"] = steps
    if "measured" in transforms:
        changed["measured"] = measure(bitmap).record()
    return Turned(element, bitmap, affine, changed)


def draw_turn(
    element: Element,
    rng: np.random.Generator,
    rotation: float | tuple[float, float],
    scale: tuple[float, float],
    flip: float,
    min_area_px: int,
    keep_at_border: bool = False,
) -> Turned:
    """A random turn: rotation uniform in ± ``rotation`` degrees (or between two), scale log-uniform, mirrored with the
    chance ``flip``.

    With ``keep_at_border``, an element that a border cut off is turned by the nearest quarter in that range.

    A turn that loses the element (thin lines vanish when shrunk) is replaced by one without shrinking, and
    that, at the worst, by the element as it is.

    Args:
        element: the mask.
        rng: source of chance.
        rotation: degrees: ± this, or between two.
        scale: log-uniform between these factors.
        flip: chance of mirroring, in [0, 1].
        min_area_px: least area that is left, in pixels.
        keep_at_border: what a border cut off is turned by quarters alone.

    Returns:
        The turned element.
    """
    degrees, factor, mirrored = draw_linear(element, rng, rotation, scale, flip, keep_at_border)
    for size in (factor, max(1.0, factor)):
        turned = turn(element, degrees, size, mirrored)
        least = max(min(min_area_px, element.area), 0.5 * size * size * element.area)
        if turned is not None and turned.area >= least:
            return turned
    return unturned(element)


def draw_linear(
    element: Element,
    rng: np.random.Generator,
    rotation: float | tuple[float, float],
    scale: tuple[float, float],
    flip: float,
    keep_at_border: bool,
) -> tuple[float, float, bool]:
    """Rotation in degrees, scale and whether mirrored, as :func:`draw_turn` draws them.

    Args:
        element: the mask.
        rng: source of chance.
        rotation: degrees: ± this, or between two.
        scale: log-uniform between these factors.
        flip: chance of mirroring, in [0, 1].
        keep_at_border: what a border cut off is turned by quarters alone.

    Returns:
        Degrees, factor, and whether mirrored.
    """
    first, last = rotation if isinstance(rotation, tuple) else (-rotation, rotation)
    degrees = float(rng.uniform(first, last))
    quarters = [quarter for quarter in (-180.0, -90.0, 0.0, 90.0, 180.0) if first <= quarter <= last]
    if keep_at_border and element.cut_sides and quarters:
        degrees = min(quarters, key=lambda quarter: abs(quarter - degrees))
    factor = float(math.exp(rng.uniform(math.log(scale[0]), math.log(scale[1]))))
    return degrees, factor, bool(rng.random() < flip)


def shrink_to(turned: Turned, canvas: Canvas, max_area: int) -> Turned | None:
    """The same, scaled down until it lies inside the photograph and within ``max_area`` pixels; None if lost."""
    current: Turned | None = turned
    for _ in range(FIT_STEPS):
        if current is None or (canvas.room(current.bitmap) is not None and current.area <= max_area):
            return current
        h, w = current.bitmap.shape
        inner_w, inner_h = canvas.width - 2 * canvas.margin_px, canvas.height - 2 * canvas.margin_px
        ratio = min(0.98, inner_w / w, inner_h / h, math.sqrt(max_area / current.area))
        current = remake(current.element, {**current.transforms, "scale": current.transforms["scale"] * ratio})
    return None


def draw_number(rng: np.random.Generator, fewest: int, most: int) -> int:
    """A number in [fewest, most]; each further element is half as likely as the one before."""
    weights = 0.5 ** np.arange(most - fewest + 1)
    return fewest + int(rng.choice(len(weights), p=weights / weights.sum()))


def recombine(
    elements: Sequence[Element],
    rng: np.random.Generator,
    canvas: Canvas,
    number: int,
    turning: Callable[[Element], Turned | None],
    placing: Callable[[Turned], tuple[int, int, dict[str, object]] | None],
) -> list[Placed]:
    """Up to ``number`` elements, each drawn, turned, made to fit and placed, none touching another.

    Args:
        elements: what may be drawn, each with equal chance.
        rng: source of chance.
        canvas: the photograph with what is occupied on it.
        number: most elements placed.
        turning: element -> turned element (draws from the same ``rng``); None where it came out as nothing usable.
        placing: turned element -> x and y of its corner inside the photograph, and how the place was found; None
            where there is no place for it.

    Returns:
        The elements placed; fewer than ``number`` where the photograph has no room, none where nothing fits.
    """
    placed: list[Placed] = []
    for _ in range(number):
        for _ in range(PLACE_TRIES):
            turned = turning(elements[int(rng.integers(len(elements)))])
            if turned is None:
                continue
            fitted = shrink_to(turned, canvas, canvas.area_left if not placed else turned.area)
            if fitted is None:
                continue
            found = placing(fitted)
            if found is not None and canvas.is_free(fitted.bitmap, *found[:2]):
                canvas.put(fitted.bitmap, *found[:2])
                placed.append(Placed(fitted, *found))
                break
    return placed
