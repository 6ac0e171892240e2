"""Mask pictures to pixels, and pixels to instances.

What the values are is read first (``ingest.mask_values``); what they mean is said by the classes that were told
(``ingest.classes``), else:

* B2: nothing but 0 and one other value: everything but 0 is defect.
* B3: in-between values beside edges only, up to at least half of the full range: anti-aliased; the upper half counts.
* B4: a mask stored as JPEG: values above 127 are defect, with a warning; refused under ``strict``.
* B8: more than 90 % defect, or more than half with the rim all round, looks inverted: a warning; beyond 90 % refused
  under ``strict``.
* B10: touching pixels of one class, diagonals included (8-connectivity), are one instance.
* B14: several values with areas of their own are classes: the stage stops and asks which (``--classes``).
* B16: a photograph among the masks stops the stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ..core.errors import InputError
from .classes import FOLDER, GROUND, IGNORE, ClassMap
from .guarded import Answer, guarded
from .image_files import open_image, plain_png
from .ledger import Notes, refuse
from .mask_values import VOID, MaskValues, looks_blurred, looks_photographed, values_of, values_of_pixels

COVERED = 0.9
MAX_PARTS = 10_000
FEW_VALUES = 16
"""A picture of this many values at most may be a mask."""
ENDS = 0.97
"""Share of black and white in a mask that was saved as JPEG."""
JPEG_NOISE = 48
"""Gray levels by which JPEG may blur a mask beside its edges."""


Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class MaskParts:
    """What a mask picture says: mask_01 (H, W) by category, and ``ignore`` (H, W), the region that counts as nothing.

    ``""`` is the category of a mask that names none. ``value``: the one value but 0 of a mask without classes.
    """

    size_hw: tuple[int, int]
    defects: dict[str, np.ndarray] = field(default_factory=dict)
    ignore: np.ndarray | None = None
    value: int | None = None

    def union(self) -> np.ndarray:
        covered = np.zeros(self.size_hw, np.uint8)
        for mask_01 in self.defects.values():
            covered |= mask_01
        return covered


def decode_mask(name: str, content: bytes, notes: Notes, strict: bool = False) -> np.ndarray:
    """mask_01 (H, W) of the mask picture ``name`` of one class; it may be empty.

    Raises:
        InputError: as ``decode_parts``.
    """
    return decode_parts(name, content, notes, strict).union()


def decode_parts(
    name: str,
    content: bytes,
    notes: Notes,
    strict: bool = False,
    classes: ClassMap | None = None,
    several: bool = False,
) -> MaskParts:
    """The classes in the mask picture ``name``; in the process that is kept for it (``ingestion.guarded``).

    ``several``: every value but 0 is defect, whatever it says.

    Args:
        name: the file, for messages.
        content: its bytes.
        notes: takes what was repaired.
        strict: refuse in place of repairing.
        classes: what values or colours mean; None: every value but 0 is the one defect.
        several: every value but 0 is defect, whatever it says.

    Returns:
        One bitmap (H, W) per class found, and pixels to ignore.

    Raises:
        InputError: A-codes where it does not decode; B3, B4, B8, B14, B16 as said above; B6 a colour mode that masks
            have not; A2 where it carries an orientation.
    """
    told, masks = guarded(
        name, content, parts_told, strict=strict, classes=None if classes is None else classes.told(), several=several
    )
    notes.take(told)
    names = told["names"]
    ignore = masks[len(names)] if len(masks) > len(names) else None
    return MaskParts(tuple(told["size"]), dict(zip(names, masks, strict=False)), ignore, told["value"])


def parts_told(name: str, content: bytes, strict: bool, classes: list[Any] | None, several: bool) -> Answer:
    """What :func:`decode_parts` finds, for another process."""
    notes = Notes()
    parts = _parts(name, content, notes, strict, None if classes is None else ClassMap.of(classes), several)
    kept = [*parts.defects.values(), *([] if parts.ignore is None else [parts.ignore])]
    return {"size": parts.size_hw, "names": list(parts.defects), "value": parts.value, **notes.told()}, kept


def read_values(name: str, content: bytes, notes: Notes) -> MaskValues:
    """What the mask picture ``name`` holds, of whatever meaning; guarded like :func:`decode_parts`.

    Raises:
        InputError: as ``decode_parts``, but for the meaning.
    """
    told, (values,) = guarded(name, content, values_told)
    notes.take(told)
    colours = {value: (red, green, blue) for value, red, green, blue in told["colours"]}
    return MaskValues(values, told["soft"], colours, told["by_colour"])


def values_told(name: str, content: bytes) -> Answer:
    """What :func:`read_values` finds, for another process."""
    notes = Notes()
    held = _held(name, content, notes, False)[1]
    colours = [[value, *colour] for value, colour in held.colours.items()]
    return {"soft": held.soft, "colours": colours, "by_colour": held.by_colour, **notes.told()}, [held.values]


def _parts(name: str, content: bytes, notes: Notes, strict: bool, classes: ClassMap | None, several: bool) -> MaskParts:
    loss, held = _held(name, content, notes, classes is not None and bool(classes.colours))
    if loss:
        parts = _with_loss(name, loss, held, notes, strict)
    elif classes is not None:
        parts = _of_classes(name, held, classes, notes)
    elif several:
        parts = MaskParts(held.values.shape, {"": (held.values != 0).astype(np.uint8)})
    else:
        parts = _unnamed(name, held, notes)
    covered = float(parts.union().mean())
    if covered > COVERED:
        if strict:
            raise refuse(name, "B8", f"{covered:.0%} of the mask is defect", "invert it if it is inverted")
        notes.warn("B8", f"{covered:.0%} of the mask is defect; is it inverted?")
    elif covered > 0.5 and _framed(parts.union()):
        notes.warn("B8", f"{covered:.0%} of the mask is defect, its rim all round; is it inverted?")
    return parts


def _framed(mask_01: np.ndarray) -> bool:
    """Whether nearly all of the picture's rim is defect, as the ground of an inverted mask is."""
    rim = np.concatenate([mask_01[0], mask_01[-1], mask_01[:, 0], mask_01[:, -1]])
    return float(rim.mean()) > COVERED


def _held(name: str, content: bytes, notes: Notes, by_colour: bool) -> tuple[str, MaskValues]:
    """What the mask was stored as with loss (empty where there is none), and its values."""
    pixels = plain_png(name, content)
    if pixels is not None:
        return "", values_of_pixels(name, pixels, notes, by_colour)
    image, orientation = open_image(name, content, notes)
    if orientation != 1:
        raise refuse(name, "A2", "the mask carries an EXIF orientation", "save it without EXIF")
    return _loss(image.format, content), values_of(name, image, notes, by_colour)


def _loss(kind: str | None, content: bytes) -> str:
    """``JPEG``, ``lossy WebP`` ...; empty where every value is as it was drawn."""
    if kind in {"JPEG", "MPO"}:
        return "JPEG"
    if kind == "JPEG2000":  # of its header's default style the wavelet: 0 is the one that rounds
        style = content.find(b"\xff\x52")
        return "lossy JPEG 2000" if content[style + 13 : style + 14] == b"\0" else ""
    return "lossy WebP" if kind == "WEBP" and b"VP8 " in content[:4096] else "AVIF" if kind == "AVIF" else ""


def _with_loss(name: str, kind: str, held: MaskValues, notes: Notes, strict: bool) -> MaskParts:
    if strict:
        raise refuse(name, "B4", f"the mask is a {kind}, its edges are lost", "export it as PNG")
    if held.by_colour:
        raise refuse(name, "B4", f"the mask is a coloured {kind}, its colours are lost", "export it as PNG")
    values = held.values
    between = ((values > JPEG_NOISE) & (values < 255 - JPEG_NOISE)).astype(np.uint8)
    if cv2.erode(between, np.ones((7, 7), np.uint8), borderValue=0).mean() > 0.005:
        if looks_photographed(values):
            raise _photograph(name, held)
        raise refuse(name, "B4", f"the mask is a {kind} with areas of several levels", "export it as PNG")
    if JPEG_NOISE < int(values.max()) < 128:
        raise refuse(name, "B4", f"the mask is a {kind} whose brightest pixel is {values.max()}", "export it as PNG")
    notes.repair("B4", f"{kind} mask cut above 127")
    return MaskParts(values.shape, {"": (values > 127).astype(np.uint8)})


def _unnamed(name: str, held: MaskValues, notes: Notes) -> MaskParts:
    values = held.values
    table = held.table
    ignore = None
    if held.colours.get(255) == VOID and not held.by_colour:
        ignore = (values == 255).astype(np.uint8) if (values == 255).any() else None
        notes.repair("B14", "the rim of Pascal VOC's palette (255) is left out")
        table = [(value, count) for value, count in table if value != 255]
    kinds = [value for value, _ in table if value != 0]
    if len(kinds) <= 1:
        value = kinds[0] if kinds else None
        if value not in {None, 255, 65535} and not held.by_colour and held.soft:
            notes.repair("B2", f"mask of 0 and {value}: everything but 0 is defect")
        mask_01 = (values == value).astype(np.uint8) if kinds else np.zeros(values.shape, np.uint8)
        return MaskParts(values.shape, {"": mask_01}, ignore, None if held.by_colour else value)
    if held.soft and ignore is None and looks_blurred(values) and not looks_photographed(values):
        top = int(values.max())
        half = 32768 if top > 255 else 128
        unsure = float(((values > 0) & (values < top)).sum()) / float((values != 0).sum())
        notes.repair("B3", f"anti-aliased mask cut at half; {unsure:.1%} of its pixels were in between")
        return MaskParts(values.shape, {"": (values >= half).astype(np.uint8)})
    if len(kinds) > 24 and looks_photographed(values if held.soft else _brightness(held)):
        raise _photograph(name, held)
    raise _ask(name, held)


def _brightness(held: MaskValues) -> np.ndarray:
    if not held.by_colour:
        return held.values
    channels = [held.values >> 16, held.values >> 8 & 255, held.values & 255]
    return np.maximum.reduce(channels)


def _photograph(name: str, held: MaskValues) -> InputError:
    return refuse(
        name,
        "B16",
        f"lies among the masks, but looks like a photograph ({len(held.table)} values)",
        "move it out of the mask folder; a map of scores must be cut to 0 and 255 first",
    )


def _ask(name: str, held: MaskValues) -> InputError:
    ground = max(held.table, key=lambda row: row[1])[0]
    black = held.by_colour and ground != 0  # of a white ground, black may be a class
    kinds = [held.words(value) for value, _ in held.table if value != 0 or black][:4]
    example = ",".join(f"{kind}=NAME" for kind in kinds)
    return refuse(
        name,
        "B14",
        f"the mask holds several classes, or what it holds is unclear: {held.listing()}",
        f"say what they are: --classes {example} (ignore, background and * for the folder's category are names too)",
    )


def _of_classes(name: str, held: MaskValues, classes: ClassMap, notes: Notes) -> MaskParts:
    """A mask by category, as ``classes`` names its values; 0 is the ground unless it is named.

    Raises:
        InputError: B14 a value without a name; B16 a photograph among the masks.
    """
    defects: dict[str, np.ndarray] = {}
    ignore: np.ndarray | None = None
    unknown = []
    for value, _ in held.table:
        told = classes.colours.get(held.colours[value]) if held.by_colour else classes.values.get(value)
        told = told if told is not None or value != 0 else GROUND
        if told is None:
            unknown.append(value)
            continue
        if told == GROUND:
            continue
        mask_01 = (held.values == value).astype(np.uint8)
        if told == IGNORE:
            ignore = mask_01 if ignore is None else ignore | mask_01
        else:
            category = "" if told == FOLDER else told
            defects[category] = defects[category] | mask_01 if category in defects else mask_01
    if unknown:
        if len(unknown) > 24 and looks_photographed(_brightness(held)):
            raise _photograph(name, held)
        words = ", ".join(held.words(value) for value in unknown[:6])
        raise refuse(name, "B14", f"{classes.source} does not name {words} (it holds {held.listing()})", "name it too")
    if ignore is not None:
        notes.repair("B14", "a region to be ignored is kept as crowd, out of training and scores")
    return MaskParts(held.values.shape, defects, ignore)


def looks_drawn(name: str, content: bytes) -> bool:
    """Whether a picture looks like a mask: few values, or in-between ones beside edges alone (JPEG's noise counts)."""
    try:
        held = read_values(name, content, Notes())
    except InputError:
        return False
    if len(held.table) <= FEW_VALUES:
        return True
    values = _brightness(held)
    if held.soft and looks_blurred(values) and not looks_photographed(values):
        return True
    ends = (values <= JPEG_NOISE) | (values >= 255 - JPEG_NOISE)
    return int(values.max()) <= 255 and float(ends.mean()) > ENDS


def components(name: str, mask_01: np.ndarray) -> Iterator[np.ndarray]:
    """The 8-connected parts of a mask, each as mask_01 (H, W), in order of their first pixel row by row.

    Raises:
        InputError: B10 so many parts that this is noise, not a drawn mask.
    """
    for part, _ in boxed_components(name, mask_01):
        yield part


def boxed_components(name: str, mask_01: np.ndarray) -> Iterator[tuple[np.ndarray, Box]]:
    """The same with each part's tight box (x, y, w, h); only the box is looked at, so that specks cost little."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask_01))
    if width == 0:
        return
    near = np.ascontiguousarray(mask_01[top : top + height, left : left + width])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    if count - 1 > MAX_PARTS:
        raise refuse(name, "B10", f"falls into {count - 1} parts", "remove the noise from the mask")
    for index in range(1, count):
        x, y, w, h = (int(value) for value in stats[index, :4])
        part = np.zeros(mask_01.shape, np.uint8)  # untouched pages of it cost nothing
        part[top + y : top + y + h, left + x : left + x + w] = labels[y : y + h, x : x + w] == index
        yield part, (left + x, top + y, w, h)
