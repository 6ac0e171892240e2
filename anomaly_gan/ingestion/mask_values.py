"""What a mask picture holds before anyone says what it means: one integer a pixel, or classes by colour.

A palette mask counts by its indexes (B5), unless it is a gray picture stored with a palette. A pixel with alpha below
half is ground; where the colour is the same everywhere, alpha itself is the mask (B6). A picture in one hue on black is
gray in that hue; in several, every colour is a class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from PIL import Image

from .ledger import Notes, refuse

VOID = (224, 224, 192)
"""Pascal VOC's colour of the rim that counts as nothing, at palette index 255."""
HUE_NOISE = 12
MOST_COLOURS = 2**24
SHOWN = 8
FEW_FRACTIONS = 8
"""Levels from 0 to 1 up to which all but 0 is defect; more are gray levels, blurred or scores."""


@dataclass(frozen=True)
class MaskValues:
    """``values`` integers (H, W), 0 being ground. ``colours``: what a value looks like, where it stands for a colour.

    ``soft``: values are gray levels, which edges may have blurred; False where they are numbers of classes alone.
    """

    values: np.ndarray
    soft: bool
    colours: dict[int, tuple[int, int, int]]
    by_colour: bool = False

    @cached_property
    def table(self) -> list[tuple[int, int]]:
        """(value, pixels) of every value that occurs, in order."""
        values = self.values
        if values.dtype == np.uint8 and values.size < 2**24:
            every = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256]).ravel().astype(np.int64)
            found = np.flatnonzero(every)
            counts = every[found]
        elif values.dtype.kind in "iu" and values.min() >= 0 and values.max() < MOST_COLOURS:
            every = np.zeros(int(values.max()) + 1, np.int64)
            for rows in _blocks(values):
                every += np.bincount(rows.ravel(), minlength=len(every))
            found = np.flatnonzero(every)
            counts = every[found]
        else:
            found, counts = np.unique(values, return_counts=True)
        return [(int(value), int(count)) for value, count in zip(found, counts, strict=True)]

    def words(self, value: int) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.colours[value]) if self.by_colour else str(value)

    def listing(self) -> str:
        """Values and the share of the picture each has, for a message."""
        table = self.table
        parts = [f"{self.words(value)} ({count / self.values.size:.1%})" for value, count in table[:SHOWN]]
        more = f" and {len(table) - SHOWN} more" if len(table) > SHOWN else ""
        return ", ".join(parts) + more


def values_of(name: str, image: Image.Image, notes: Notes, by_colour: bool = False) -> MaskValues:
    """The values of a mask picture. ``by_colour``: a palette's colours count, since the classes are told by colour.

    Raises:
        InputError: A7 NaN or infinity, B6 a colour mode that masks have not.
    """
    if image.mode in {"CMYK", "LAB", "YCbCr", "HSV"}:
        raise refuse(name, "B6", f"the mask has the colour mode {image.mode}", "export it as gray PNG")
    if image.mode == "P" and not by_colour:
        return _of_palette(image)
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    array = np.asarray(image)
    if array.dtype == bool:
        return MaskValues(array.astype(np.uint8), False, {})
    if image.mode in {"RGBA", "LA", "La", "RGBa"}:
        array = _without_alpha(array, notes)
    return values_of_pixels(name, array, notes, by_colour)


def values_of_pixels(name: str, array: np.ndarray, notes: Notes, by_colour: bool = False) -> MaskValues:
    """The values of a mask from its pixels (H, W) or (H, W, 3); raises as :func:`values_of`."""
    return _of_colours(array, by_colour) if array.ndim == 3 else _of_numbers(name, array, notes)


def _of_palette(image: Image.Image) -> MaskValues:
    indexes = np.asarray(image)
    palette = image.getpalette("RGB") or []
    used = np.flatnonzero(np.bincount(indexes.ravel())).tolist()
    colours = {value: (*palette[3 * value : 3 * value + 3],) for value in used if len(palette) >= 3 * value + 3}
    if len(used) > 3 and all(len(set(colour)) == 1 for colour in colours.values()) and len(colours) == len(used):
        table = np.zeros(256, np.uint8)
        for value, colour in colours.items():
            table[value] = colour[0]
        if len(set(table[used].tolist())) == len(used) and table[used].max() == 255:
            return MaskValues(table[indexes], True, {})  # an ordinary gray picture that someone saved with a palette
    return MaskValues(indexes, False, colours)  # type: ignore[arg-type]


def _without_alpha(array: np.ndarray, notes: Notes) -> np.ndarray:
    colour, alpha = array[..., :-1], array[..., -1]
    if colour.min() == colour.max() and alpha.min() < alpha.max():
        notes.repair("B6", "one colour everywhere: its alpha is the mask")
        return alpha
    kept = np.where(alpha[..., None] >= 128, colour, 0)
    return kept[..., 0] if kept.shape[-1] == 1 else kept


def _of_colours(array: np.ndarray, by_colour: bool) -> MaskValues:
    flat = array[..., :3]
    if not by_colour:
        brightest = flat.max(axis=-1)
        top = np.unravel_index(int(brightest.argmax()), brightest.shape)
        if brightest[top] == 0:
            return MaskValues(brightest, True, {})
        hue = flat[top] / float(brightest[top])
        parts = zip(_blocks(flat), _blocks(brightest), strict=True)
        if all(np.abs(part - level[..., None] * hue).max() <= HUE_NOISE for part, level in parts):
            return MaskValues(brightest, True, {})  # one hue on black, gray among them
    packed = flat[..., 0].astype(np.int32)
    for channel in (1, 2):
        packed <<= 8
        packed |= flat[..., channel]
    seen = np.zeros(MOST_COLOURS, bool)
    seen[packed.ravel()] = True
    found = np.flatnonzero(seen).tolist()
    return MaskValues(packed, False, {value: (value >> 16, value >> 8 & 255, value & 255) for value in found}, True)


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Bands of rows of about a megapixel, so that what is computed of them stays small."""
    high = max(1, 2**20 // max(1, array.shape[1]))
    return (array[row : row + high] for row in range(0, array.shape[0], high))


def _of_numbers(name: str, array: np.ndarray, notes: Notes) -> MaskValues:
    if not np.isfinite(array).all():
        raise refuse(name, "A7", "the mask holds NaN or infinity", "export it as 8-bit PNG")
    if array.dtype.kind == "f":
        if (array == np.rint(array)).all() and np.abs(array).max() < 2**31:
            return MaskValues(array.astype(np.int64), True, {})
        if array.min() >= 0 and array.max() <= 1 and len(np.unique(array)) > FEW_FRACTIONS:
            return MaskValues(np.rint(array * 255).astype(np.uint8), True, {})
        if array.min() >= 0 and array.max() <= 1:
            notes.repair("B2", "mask of fractions up to 1: everything but 0 is defect")
            return MaskValues((array != 0).astype(np.uint8), False, {})
        return MaskValues(np.rint(array).astype(np.int64), True, {})
    return MaskValues(array, True, {})


def looks_blurred(values: np.ndarray) -> bool:
    """Whether the in-between values of a mask stand only beside its edges, as in anti-aliased masks.

    Classes differ: a level of theirs has an area of its own, or a line whose neighbours along it are equal. Of 388
    anti-aliased masks of photographed tiles none has an area of 3 x 3 equal pixels in between, and at least 94 % of
    such pixels lie between a higher and a lower one within 2 pixels, or have no two equal neighbours.
    """
    low, top = int(values.min()), int(values.max())
    if low != 0 or top < _full(top) // 2:
        return False
    rows, columns = np.nonzero((values > 0) & (values < top))
    if not len(rows):
        return True
    near = slice(max(0, rows.min() - 3), rows.max() + 4), slice(max(0, columns.min() - 3), columns.max() + 4)
    values = values[near]
    levels = values.astype(np.float32)
    middle = (values > 0) & (values < top)
    block, wide = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
    flat = (cv2.dilate(levels, block) == cv2.erode(levels, block)) & middle
    flat[[0, -1]] = flat[:, [0, -1]] = False
    between = (cv2.dilate(levels, wide) > levels) & (cv2.erode(levels, wide) < levels)
    equal = np.zeros(values.shape, np.uint8)
    padded = np.pad(values.astype(np.int32), 1, constant_values=-1)
    for row, column in ((r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)):
        equal += padded[row : row + values.shape[0], column : column + values.shape[1]] == values
    fits = between | (equal < 2)
    return not flat.any() and float(fits[middle].mean()) >= 0.9


def looks_photographed(values: np.ndarray) -> bool:
    """Whether a picture in a mask folder is a photograph: many levels, in areas far from any edge of a mask."""
    top = int(values.max())
    middle = ((values > 0) & (values < top)).astype(np.uint8)
    deep = cv2.erode(middle, np.ones((7, 7), np.uint8), borderValue=0)
    return float(deep.mean()) > 0.005 and len(np.unique(values[deep > 0])) > 24


def _full(top: int) -> int:
    return 65535 if top > 255 else 255
