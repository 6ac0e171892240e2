"""labelme of any version: one JSON file per photograph, beside it or in a folder of its own.

A photograph belongs to the JSON whose ``imagePath`` names it (seen from the JSON's folder), else beside the JSON or
anywhere in the source by that name, else the one of the JSON's own stem; a JSON without such a file gives the
photograph in its ``imageData``. The copy in ``imageData`` must show the photograph: labelme 3 to 5 save JPEGs again at
quality 75, so the photograph is saved again likewise, and compared. No shapes: no defect (C12). A
photograph without JSON is without defect where its folder's name is in ``normal``; elsewhere nobody has looked at
it, and it is skipped. One bad shape refuses its whole photograph: a defect left out would be learnt as background.
Shapes labelled ``_background_`` count as nothing; ``__ignore__`` and ``ignore`` are kept as crowd.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from ...core.channels import one_channel
from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.files import write_text
from ..image_files import BAD_CONTENT, Picture, decode_photo, orient
from ..json_reader import MAX_JSON_BYTES, kind_of, parse_json
from ..labels import EVERY
from ..ledger import Ledger, Notes, printable, refuse
from ..photo_finder import PhotoFinder
from ..polygons import ShapeFault
from ..source_tree import PHOTO_SUFFIXES, SourceTree, ignore_others, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .labelme_files import label_content, mask_shape
from .labelme_shapes import decode_base64, draw_shape
from .sidefile import copy_photo, flat_stems, write_side_file

OTHERS = "export labelme or COCO instead"
EXPORTS = {
    "GeoJSON": OTHERS,
    "Label Studio's own JSON": "export COCO from it",
    "Supervisely's own JSON": "export COCO, Pascal VOC or masks from it",
    "VIA 3's project": "export COCO from it",
    "Datumaro's own JSON": "export COCO from it",
    "CreateML": "export COCO or YOLO instead",
    "COCO results without photographs": "give the annotation file, with images and categories",
    "V7 Darwin's own JSON": "export COCO from it",
}
"""JSON that is known and not read, and what to export instead."""
MAX_LABEL_BYTES = 256 * 2**20
IGNORED = frozenset({"ignore", "__ignore__"})
BACKGROUND = frozenset({"_background_", "__background__", "background"})
AGREEMENT = 4.0
"""Mean absolute difference in gray levels up to which an embedded copy (perhaps JPEG again) is the same picture."""
CORRELATION = 0.91
"""Least correlation of gray levels of a copy and its photograph beyond that. Measured on grainy surfaces: copies saved
at quality 75 have 0.93 and more, another part of the same surface at most 0.89."""


def fits(tree: SourceTree) -> bool:
    """Whether the first JSON file of a known kind is labelme's; the others are judged when they are read."""
    return next((kind == "labelme" for _, kind in _kinds(tree)), False)


def stop_at_known(tree: SourceTree) -> None:
    """
    Raises:
        InputError: C15 the first JSON file of a known kind is of one that is not read.
    """
    for name, kind in _kinds(tree):
        if kind in EXPORTS:
            raise InputError(name, "C15", f"looks like {kind}, which is not read", EXPORTS[kind])
        return


def _kinds(tree: SourceTree) -> Iterator[tuple[str, str]]:
    for name in tree.files:
        if suffix_of(name) == ".json":
            try:
                kind = kind_of(parse_json(name, tree.read(name, MAX_JSON_BYTES)))
            except InputError:
                continue  # a broken file says nothing about the format; its reader refuses it by name
            if kind == "labelme" or kind in EXPORTS:
                yield name, kind


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph; JSON files that cannot be used, or have no photograph, are refused."""
    finder = PhotoFinder(tree, options.images, "C2")
    claims: dict[str, list[str]] = defaultdict(list)
    contents: dict[str, dict[str, object]] = {}
    for name in tree.files:
        if suffix_of(name) == ".json":
            try:
                contents[name] = read_label_file(tree, name)
                photo = photo_of(name, contents[name], finder)
                claims[photo].append(name)
            except InputError as error:
                ledger.found += 1
                ledger.reject(name, error)
                continue
            # the embedded copy is read again when its turn comes: a thousand of them do not fit in memory
            contents[name]["imageData"] = bool(contents[name].get("imageData"))
            contents[name]["guessed"] = photo in finder.guessed
    ignore_others(tree, ledger, {name for name in tree.files if suffix_of(name) == ".json"})
    items = []
    listed = set(tree.files)
    for photo in sorted({*tree.photos(), *claims}):
        ledger.found += 1
        names = claims.get(photo, [])
        if names:
            content = None if photo in listed else partial(embedded_picture, tree, names[0])
            items.append(
                Item(photo, partial(_read_label, tree, options, photo, names, contents[names[0]]), content=content)
            )
        elif options.unlabelled == "sound" or any(options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]):
            items.append(Item(photo, lambda notes: NO_DEFECT, ()))
        else:
            ledger.skip(photo, "no label file")
    return items


def read_label_file(tree: SourceTree, name: str) -> dict[str, Any]:
    """The checked outer object of a labelme JSON.

    Raises:
        InputError: C13, C14 see ``ingest.json_reader``; C15 it is of another format.
    """
    value = parse_json(name, tree.read(name, min(MAX_LABEL_BYTES, MAX_JSON_BYTES)))
    kind = kind_of(value)
    if kind != "labelme":
        remedy = f"use --format {kind}" if kind in {"coco", "via"} else EXPORTS.get(kind, OTHERS)
        raise refuse(name, "C15", "has no list of shapes" if kind == "unknown" else f"looks like {kind}", remedy)
    return value


def photo_of(name: str, content: dict[str, object], finder: PhotoFinder) -> str:
    """The photograph of the label file ``name``, as a path below the source root; it need not exist (``imageData``).

    Raises:
        InputError: C2 ``imagePath`` names nothing here, B11 several photographs fit, C4 the photograph is neither in a
            file nor in ``imageData``.
    """
    named = content.get("imagePath")
    stem = PurePosixPath(str(named).replace("\\", "/")).stem.casefold()
    # another stem is another photograph, unless the copy in imageData proves that it is the same
    trusted = bool(content.get("imageData")) or stem == PurePosixPath(name).stem.casefold()
    try:
        found = finder.find(named, name)
    except ShapeFault as fault:
        found = finder.same_stem(name) if trusted else None
        if found is None:
            remedy = "correct imagePath, or say where the photographs are: --images DIR"
            raise refuse(f"{name}[imagePath]", fault.code, fault.reason, remedy) from fault
    if found is None and trusted:
        found = finder.same_stem(name)
    if found is not None:
        return found
    if not content.get("imageData"):
        raise refuse(
            f"{name}[imagePath]",
            "C4",
            f"there is no photograph {printable(str(named)[:120])} in the source, and imageData is empty",
            "put the photograph there, or say where they are: --images DIR",
        )
    beside = str(PurePosixPath(name).with_name(PurePosixPath(str(named).replace("\\", "/")).name))
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
    if content["guessed"]:
        notes.repair("C2", "imagePath leads to no photograph: the one of that name in the source was taken")
    size_hw = declared_size(name, content)
    drawn = [(index, shape) for index, shape in enumerate(shapes) if not is_background(shape["label"])]
    verify = partial(_verify, tree, name, photo, options.bits) if content["imageData"] and photo in tree.files else None
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
    label = shape.get("label")
    if isinstance(label, int) and not isinstance(label, bool):
        shape = {**shape, "label": str(label)}
    elif not isinstance(label, str):
        kind = "missing" if label is None else f"{str(label)[:20]!a}, which is no text"
        raise refuse(f"{where}[label]", "C11", f"is {kind}", "name the defect")
    elif not label.strip():
        raise refuse(f"{where}[label]", "C11", "is empty", "name the defect")
    group = shape.get("group_id")
    if isinstance(group, float) and group.is_integer():
        shape = {**shape, "group_id": int(group)}
    elif group is not None and type(group) is not int:
        raise refuse(f"{where}[group_id]", "C9", f"is {str(group)[:20]!a}, not an integer", "correct it")
    return shape


def group_shapes(name: str, shapes: Sequence[tuple[int, dict[str, Any]]]) -> list[list[tuple[int, dict[str, Any]]]]:
    """The shapes (with their indices in the file) of each instance, in order of the instances' first shapes.

    Shapes with the same ``group_id`` (0 is one like any other) are one instance, each other shape is its own.

    Raises:
        InputError: C9 a group joins shapes of unlike labels.
    """
    joined: dict[tuple[str, int], list[tuple[int, dict[str, object]]]] = {}
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
    """mask_01 (H, W) of one instance: the union of its shapes, but for shapes wholly inside another, which are holes.

    Raises:
        InputError: C4 to C8 a shape cannot be drawn, C6 the group covers no pixel; the message names the shape.
    """
    drawn: list[np.ndarray] = []
    for index, shape in members:
        try:
            drawn.append(draw_shape(shape, size_hw, line_width, notes))
        except ShapeFault as fault:
            raise refuse(f"{name}[shape {index}]", fault.code, fault.reason, "redraw the shape") from fault
    mask_01 = _combined(drawn, size_hw)
    if not mask_01.any():
        raise refuse(f"{name}[shape {members[0][0]}]", "C6", "covers no pixel with its group", "redraw the shape")
    return mask_01


def _combined(drawn: list[np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
    """From the largest shape to the smallest: one wholly inside what is there is cut out, any other is added."""
    mask_01 = np.zeros(size_hw, np.uint8)
    whole = np.zeros(size_hw, np.uint8)
    for shape_01 in sorted(drawn, key=lambda shape_01: -int(shape_01.sum())):
        inside = whole.any() and not (shape_01 & (whole ^ 1)).any()
        mask_01 = mask_01 ^ shape_01 if inside else mask_01 | shape_01
        whole |= shape_01
    return mask_01


def is_background(label: str) -> bool:
    """Whether shapes of this label count as nothing (``_background_``)."""
    return label.casefold() in BACKGROUND


def _draw(
    name: str, shapes: list[tuple[int, dict[str, object]]], options: ReadOptions, notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    for members in group_shapes(name, shapes):
        mask_01 = draw_group(name, members, size_hw, options.line_width, notes)
        origin = {"labelme": name, "shapes": [index for index, _ in members]}
        label = members[0][1]["label"]
        if label.strip() in IGNORED:
            notes.repair("B14", "a region to be ignored is kept as crowd, out of training and scores")
            yield Instance(EVERY, mask_01, 1, origin)
        else:
            yield Instance(label, mask_01, origin=origin)


def _verify(tree: SourceTree, name: str, photo: str, bits: int | None, picture: Picture) -> None:
    """Compare the embedded copy with the photograph; raises C3 where they are unlike, C4 where it does not decode."""
    content = embedded_picture(tree, name)
    try:
        copy = decode_photo("copy", content, Notes(), bits)
    except InputError as error:
        raise refuse(
            f"{name}[imageData]", "C4", f"does not decode: {error.reason}", "save the label file again"
        ) from error
    shown = orient(copy.pixels, copy.orientation)
    for pixels in (orient(picture.pixels, picture.orientation), picture.pixels):
        if shown.shape[:2] == pixels.shape[:2] and (_same(shown, pixels) or _same(shown, saved_as(pixels, content))):
            return
    raise refuse(
        f"{name}[imageData]", "C3", f"shows another picture than {photo}", "remove imageData, or correct imagePath"
    )


def saved_as(pixels: np.ndarray, content: bytes) -> np.ndarray:
    """The photograph saved again as ``content`` was: with the same quantisation, where that is a JPEG.

    Grain is what JPEG alters most, and alters alike where the picture is the same.
    """
    try:
        with Image.open(io.BytesIO(content)) as copy:
            tables = getattr(copy, "quantization", None)
            if copy.format not in {"JPEG", "MPO"} or not tables:
                return pixels
            picture = Image.fromarray(pixels).convert(copy.mode)
            sampling = JpegImagePlugin.get_sampling(copy)
        stream = io.BytesIO()
        picture.save(stream, "JPEG", qtables=tables, subsampling=sampling)
        return np.asarray(Image.open(stream))
    except BAD_CONTENT:
        return pixels


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two pictures of one size show the same: nearly equal, or equal but for noise and brightness."""
    a, b = (one_channel(array).astype(np.float64) for array in (first, second))
    if float(np.abs(a - b).mean()) <= AGREEMENT:
        return True
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return spread > 0 and float((a * b).sum()) / spread >= CORRELATION


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """A JSON beside every photograph, all in one folder, each instance a brush mask."""
    names, labels, stems = dataset.category_names(), dataset.by_image(), flat_stems(dataset)
    files: dict[str, str] = {}
    for image in dataset.images:
        stem = stems[image.file_name]
        files[image.file_name] = copy_photo(dataset, image, out, stem)
        shapes = [
            mask_shape(names[item.category_id] if not item.iscrowd else "ignore", item.mask())
            for item in labels.get(image.id, [])
        ]
        content = label_content(files[image.file_name], (image.height, image.width), shapes)
        write_text(out / f"{stem}.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    write_side_file(dataset, out, files)
    return {}
