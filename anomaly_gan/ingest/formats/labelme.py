"""labelme: one JSON file per photograph, found anywhere below the source folder.

A photograph belongs to the JSON whose ``imagePath`` names it (seen from the JSON's folder), else beside the JSON by
that name; a JSON without such a file gives the photograph in its ``imageData``. No shapes: no defect (C12). A
photograph without JSON is without defect where its folder's name is in ``normal``; elsewhere nobody has looked at
it, and it is skipped. One bad shape refuses its whole photograph: a defect left out would be learnt as background.
Shapes labelled ``_background_`` count as nothing; ``__ignore__`` refuses the photograph (C11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ...core.errors import InputError
from ..image_files import Picture, decode_photo, orient
from ..json_reader import MAX_JSON_BYTES, kind_of, parse_json
from ..ledger import Ledger, Notes, printable, refuse
from ..paths import confined
from ..polygons import ShapeFault
from ..source_tree import PHOTO_SUFFIXES, SourceTree, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .labelme_shapes import decode_base64, draw_shape

MAX_LABEL_BYTES = 256 * 2**20
BACKGROUND = frozenset({"_background_", "__background__", "background"})
AGREEMENT = 4.0
"""Mean absolute difference in gray levels up to which an embedded copy (perhaps JPEG again) is the same picture."""


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph; JSON files that cannot be used, or have no photograph, are refused."""
    known = set(tree.files)
    claims: dict[str, list[str]] = defaultdict(list)
    contents: dict[str, dict[str, Any]] = {}
    for name in tree.files:
        if suffix_of(name) == ".json":
            try:
                contents[name] = read_label_file(tree, name)
                claims[photo_of(name, contents[name], known)].append(name)
            except InputError as error:
                ledger.found += 1
                ledger.reject(name, error)
                continue
            # the embedded copy is read again when its turn comes: a thousand of them do not fit in memory
            contents[name]["imageData"] = contents[name].get("imageData") is not None
        elif suffix_of(name) not in PHOTO_SUFFIXES:
            ledger.ignore("not a photograph", name)
    items = []
    for photo in sorted({*tree.photos(), *claims}):
        ledger.found += 1
        names = claims.get(photo, [])
        if names:
            content = None if photo in known else partial(embedded_picture, tree, names[0])
            items.append(
                Item(photo, partial(_read_label, tree, options, photo, names, contents[names[0]]), content=content)
            )
        elif any(options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]):
            items.append(Item(photo, lambda notes: NO_DEFECT, ()))
        else:
            ledger.skip(photo, "no label file")
    return items


def read_label_file(tree: SourceTree, name: str) -> dict[str, Any]:
    """The checked outer object of a labelme JSON.

    Raises:
        InputError: C13, C14 see ``core.foreign_json``; C15 it is of another format.
    """
    value = parse_json(name, tree.read(name, min(MAX_LABEL_BYTES, MAX_JSON_BYTES)))
    kind = kind_of(value)
    if kind != "labelme":
        remedy = "use --format coco" if kind == "coco" else "export labelme or COCO instead"
        raise refuse(name, "C15", "has no list of shapes" if kind == "unknown" else f"looks like {kind}", remedy)
    return value


def photo_of(name: str, content: dict[str, Any], known: set[str]) -> str:
    """The photograph of the label file ``name``, as a path below the source root; it need not exist (``imageData``).

    Raises:
        InputError: C2 ``imagePath`` leads outside, C4 the photograph is neither in a file nor in ``imageData``.
    """
    folder = PurePosixPath(name).parts[:-1]
    try:
        path = confined(content.get("imagePath"), folder, "C2", climb=True)
    except ShapeFault as fault:
        raise refuse(f"{name}[imagePath]", fault.code, fault.reason, "correct imagePath") from fault
    beside = "/".join((*folder, PurePosixPath(path).name))
    for candidate in (path, beside):
        if candidate in known and suffix_of(candidate) in PHOTO_SUFFIXES:
            return candidate
    if content.get("imageData") is None:
        raise refuse(
            f"{name}[imagePath]",
            "C4",
            f"there is no photograph {printable(path)}, and imageData is null",
            "put the photograph there",
        )
    return beside if suffix_of(beside) in PHOTO_SUFFIXES else f"{beside}.png"


def embedded_picture(tree: SourceTree, name: str) -> bytes:
    """The bytes of the photograph that a label file carries in ``imageData``."""
    try:
        return decode_base64(read_label_file(tree, name).get("imageData"))
    except ShapeFault as fault:
        raise refuse(f"{name}[imageData]", fault.code, fault.reason, "save the label file again") from fault


def _read_label(
    tree: SourceTree, options: ReadOptions, photo: str, names: list[str], content: dict[str, Any], notes: Notes
) -> Label:
    if len(names) > 1:
        raise refuse(photo, "B11", f"has {len(names)} label files: {', '.join(names[:3])}", "keep one")
    name = names[0]
    shapes = [check_shape(f"{name}[shape {index}]", shape) for index, shape in enumerate(content["shapes"])]
    size_hw = declared_size(name, content)
    drawn = [(index, shape) for index, shape in enumerate(shapes) if not is_background(shape["label"])]
    verify = partial(_verify, tree, name, photo) if content["imageData"] and photo in tree.files else None
    return Label(size_hw, not drawn, partial(_draw, name, drawn, options, notes), name, "C1", verify)


def declared_size(name: str, content: dict[str, Any]) -> tuple[int, int] | None:
    """(imageHeight, imageWidth), or None where the file leaves both out; C1 where they are no positive integers."""
    sides = content.get("imageHeight"), content.get("imageWidth")
    if sides == (None, None):
        return None
    if not all(type(side) is int and side > 0 for side in sides):
        raise refuse(
            f"{name}[imageHeight, imageWidth]",
            "C1",
            f"are {str(sides)[:60]}, not positive integers",
            "save the label file again",
        )
    return sides  # type: ignore[return-value]


def check_shape(where: str, shape: Any) -> dict[str, Any]:
    """The shape itself, its label and group checked.

    Raises:
        InputError: C9 a group_id that is no integer, C11 no usable label, C14 no object.
    """
    if not isinstance(shape, dict):
        raise refuse(where, "C14", "is not an object", "save the label file again")
    if not isinstance(shape.get("label"), str) or not shape["label"].strip():
        raise refuse(f"{where}[label]", "C11", "is missing or empty", "name the defect")
    if shape["label"].strip() == "__ignore__":
        raise refuse(
            where,
            "C11",
            "is marked __ignore__, and nothing can be left out of a training picture",
            "label it, or remove the photograph",
        )
    group = shape.get("group_id")
    if group is not None and type(group) is not int:
        raise refuse(f"{where}[group_id]", "C9", f"is {str(group)[:20]!a}, not an integer", "correct it")
    return shape


def group_shapes(name: str, shapes: Sequence[tuple[int, dict[str, Any]]]) -> list[list[tuple[int, dict[str, Any]]]]:
    """The shapes (with their indices in the file) of each instance, in order of the instances' first shapes.

    Shapes with the same ``group_id`` (0 is one like any other) are one instance, each other shape is its own.

    Raises:
        InputError: C9 a group joins shapes of unlike labels.
    """
    joined: dict[tuple[str, int], list[tuple[int, dict[str, Any]]]] = {}
    label_of_group: dict[int, str] = {}
    for index, shape in shapes:
        group = shape.get("group_id")
        if group is not None and label_of_group.setdefault(group, shape["label"]) != shape["label"]:
            raise refuse(
                f"{name}[shape {index}]",
                "C9",
                f"group {group} joins {label_of_group[group]!a} and {shape['label']!a}",
                "give unlike defects unlike groups",
            )
        key = ("alone", index) if group is None else ("group", group)
        joined.setdefault(key, []).append((index, shape))
    return list(joined.values())


def draw_group(
    name: str,
    members: Sequence[tuple[int, dict[str, Any]]],
    size_hw: tuple[int, int],
    line_width: float | None,
    notes: Notes,
) -> np.ndarray:
    """mask_01 (H, W) of one instance: its shapes by exclusive or.

    Raises:
        InputError: C4 to C8 a shape cannot be drawn, C6 the group covers no pixel; the message names the shape.
    """
    mask_01 = np.zeros(size_hw, np.uint8)
    for index, shape in members:
        try:
            mask_01 ^= draw_shape(shape, size_hw, line_width, notes)
        except ShapeFault as fault:
            raise refuse(f"{name}[shape {index}]", fault.code, fault.reason, "redraw the shape") from fault
    if not mask_01.any():
        raise refuse(f"{name}[shape {members[0][0]}]", "C6", "covers no pixel with its group", "redraw the shape")
    return mask_01


def is_background(label: str) -> bool:
    """Whether shapes of this label count as nothing (``_background_``)."""
    return label.casefold() in BACKGROUND


def _draw(
    name: str, shapes: list[tuple[int, dict[str, Any]]], options: ReadOptions, notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    for members in group_shapes(name, shapes):
        mask_01 = draw_group(name, members, size_hw, options.line_width, notes)
        origin = {"labelme": name, "shapes": [index for index, _ in members]}
        yield Instance(members[0][1]["label"], mask_01, origin=origin)


def _verify(tree: SourceTree, name: str, photo: str, picture: Picture) -> None:
    """Compare the embedded copy with the photograph; raises C3 where they are unlike, C4 where it does not decode."""
    try:
        copy = decode_photo("copy", embedded_picture(tree, name), Notes())
    except InputError as error:
        raise refuse(
            f"{name}[imageData]", "C4", f"does not decode: {error.reason}", "save the label file again"
        ) from error
    shown = orient(copy.pixels, copy.orientation)
    for pixels in (orient(picture.pixels, picture.orientation), picture.pixels):
        if shown.shape[:2] == pixels.shape[:2] and _difference(shown, pixels) <= AGREEMENT:
            return
    raise refuse(
        f"{name}[imageData]", "C3", f"shows another picture than {photo}", "remove imageData, or correct imagePath"
    )


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    gray = [array.mean(axis=2) if array.ndim == 3 else array.astype(np.float64) for array in (first, second)]
    return float(np.abs(gray[0] - gray[1]).mean())
