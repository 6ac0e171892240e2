"""VIA (VGG Image Annotator) 1 and 2, and makesense's VGG export: a project, its annotations as JSON, or as CSV.

Regions are polygons, rectangles, circles, ellipses and polylines (with ``line_width``), drawn as labelme's are; points
have no area and are refused. The category is the one region attribute that is filled in, else the first of ``NAMES``;
of a set of checkboxes the one that is ticked. Where no region has an attribute, all are ``defect``. A photograph that
the file names without regions is sound. VIA writes no sizes: the photograph's own counts. The same annotations as
project, JSON and CSV count once.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ...core.errors import InputError
from ..json_reader import MAX_JSON_BYTES, kind_of, parse_json
from ..ledger import Ledger, Notes, refuse
from ..photo_finder import PhotoFinder
from ..polygons import ShapeFault, check_number
from ..source_tree import SourceTree, ignore_others, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .labelme_shapes import draw_shape

NAMES = ("label", "class", "category", "defect", "defect_type", "type", "name", "kind", "object")
UNNAMED = "defect"
SHAPES, ATTRIBUTES = "region_shape_attributes", "region_attributes"
LOOKED_AT = 20
Region = tuple[str, dict[str, object], dict[str, object]]
"""Where it stands, its shape's attributes, its own attributes."""


def fits(tree: SourceTree) -> bool:
    return bool(_files(tree, LOOKED_AT))


def _files(tree: SourceTree, most: int) -> list[str]:
    found = []
    for name in [name for name in tree.files if suffix_of(name) in {".json", ".csv"}][:most]:
        head = tree.head(name, 4096)
        if suffix_of(name) == ".csv":
            found += [name] if SHAPES.encode() in head.split(b"\n")[0] else []
        elif b'"filename"' in head or b'"_via_' in head:
            try:
                found += [name] if kind_of(parse_json(name, tree.read(name, MAX_JSON_BYTES))) == "via" else []
            except InputError:
                continue  # its reader refuses it by name
    return found


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph that a file names; others are sound in a folder of sound parts, else skipped.

    Raises:
        InputError: MISSING there is no file of VIA's; D13 a photograph has other regions in another file; C11 several
            attributes may be the category.
    """
    files = _files(tree, len(tree.files))
    if not files:
        raise refuse(str(tree.root), "MISSING", "no JSON or CSV of VIA", "save the project or export its annotations")
    finder = PhotoFinder(tree, options.images, "C2")
    regions: dict[str, list[Region]] = {}
    for name in files:
        for where, named, own in _rows(tree, name):
            try:
                photo = finder.find(named, name)
            except ShapeFault as fault:
                _reject(ledger, where, fault.code, fault.reason)
                continue
            if photo is None:
                _reject(ledger, where, "B11", f"there is no photograph {str(named)[:80]!a}")
            elif _told(regions.setdefault(photo, own)) != _told(own):
                raise refuse(where, "D13", f"{photo} has other regions in another file", "keep one of the files")
    attribute = _attribute_of(files[0], [region for own in regions.values() for region in own])
    items = []
    for photo in tree.photos():
        ledger.found += 1
        if photo in regions:
            items.append(Item(photo, partial(_read_label, regions[photo], attribute, options)))
        elif options.unlabelled == "sound" or any(options.is_normal(part) for part in PurePosixPath(photo).parts[:-1]):
            items.append(Item(photo, lambda notes: NO_DEFECT, ()))
        else:
            ledger.skip(photo, "not named in the label file")
    ignore_others(tree, ledger, set(files))
    return items


def _reject(ledger: Ledger, where: str, code: str, reason: str) -> None:
    ledger.found += 1
    ledger.reject(where, refuse(where, code, reason, "say where the photographs are: --images DIR"))


def _told(regions: list[Region]) -> list[str]:
    return [json.dumps([shape, attributes], sort_keys=True) for _, shape, attributes in regions]


def _rows(tree: SourceTree, name: str) -> Iterator[tuple[str, Any, list[Region]]]:
    """(where, file name, regions) of every photograph that the file names."""
    content = tree.read(name, MAX_JSON_BYTES)
    if suffix_of(name) == ".csv":
        yield from _rows_of_table(name, content)
        return
    value = parse_json(name, content)
    value = value.get("_via_img_metadata", value)
    for key, row in value.items() if isinstance(value, dict) else ():
        where = f"{name}[{key[:60]}]"
        if not isinstance(row, dict) or "filename" not in row:
            raise refuse(where, "C14", "is no photograph of VIA's", "save the project again")
        regions = row.get("regions", [])
        rows = list(regions.values()) if isinstance(regions, dict) else regions  # VIA 1 numbers them
        if not isinstance(rows, list) or not all(isinstance(region, dict) for region in rows):
            raise refuse(where, "C14", "has regions that are no list", "save the project again")
        yield (
            where,
            row["filename"],
            [
                (f"{where}[region {at}]", _object(region.get("shape_attributes")), _object(region.get(ATTRIBUTES)))
                for at, region in enumerate(rows)
            ],
        )


def _object(value: Any) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _rows_of_table(name: str, content: bytes) -> Iterator[tuple[str, Any, list[Region]]]:
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        rows = [({str(key).lstrip("#"): cell for key, cell in row.items()}, table.line_num) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise refuse(name, "R1", "is no CSV in UTF-8", "export it again") from error
    regions: dict[str, list[Region]] = {}
    for row, line in rows:
        where = f"{name}[line {line}]"
        own = regions.setdefault(row.get("filename") or "", [])
        shape, attributes = (_cell(where, row.get(column)) for column in (SHAPES, ATTRIBUTES))
        if shape:
            own.append((where, shape, attributes))
    for file, own in regions.items():
        yield f"{name}[{file[:60]}]", file, own


def _cell(where: str, text: str | None) -> dict[str, object]:
    return _object(parse_json(where, text.encode())) if text else {}


def _attribute_of(name: str, regions: list[Region]) -> str | None:
    """The attribute that holds the category; None where no region has any."""
    filled = sorted(
        {key for _, _, attributes in regions for key, value in attributes.items() if value != "" and value != {}}
    )
    if len(filled) < 2:
        return filled[0] if filled else None
    by_name = {key.casefold(): key for key in filled}
    known = next((by_name[word] for word in NAMES if word in by_name), None)
    if known is None:
        words = f"the attributes {', '.join(filled[:6])} may each be the category"
        raise refuse(name, "C11", words, "call the right one 'label'")
    return known


def _read_label(regions: list[Region], attribute: str | None, options: ReadOptions, notes: Notes) -> Label:
    return Label(None, not regions, partial(_draw, regions, attribute, options, notes))


def _draw(
    regions: list[Region], attribute: str | None, options: ReadOptions, notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    for where, shape, attributes in regions:
        try:
            mask_01 = draw_shape(_as_labelme(shape), size_hw, options.line_width, notes)
        except ShapeFault as fault:
            raise refuse(where, fault.code, fault.reason, "redraw the region") from fault
        category = UNNAMED if attribute is None else _category(where, attributes.get(attribute))
        yield Instance(category, mask_01, origin={"via": where})


def _category(where: str, value: Any) -> str:
    if isinstance(value, dict):  # checkboxes
        ticked = [name for name, state in value.items() if state is True]
        value = ticked[0] if len(ticked) == 1 else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise refuse(where, "C11", "names no defect, or several", "name one")
    return value.strip()


def _as_labelme(shape: dict[str, object]) -> dict[str, object]:
    """A region as a shape of labelme's.

    Raises:
        ShapeFault: C5 a kind that has no area or is not known, C8 what is no number.
    """
    kind = str(shape.get("name"))
    if kind in {"polygon", "polyline"}:
        x, y = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
            raise ShapeFault("C8", "its points must be as many x as y")
        points = [list(pair) for pair in zip(x, y, strict=True)]
        return {"shape_type": "polygon" if kind == "polygon" else "linestrip", "points": points}

    def number(name: str) -> float:
        return check_number(shape.get(name), name)

    if kind == "rect":
        x, y = number("x"), number("y")
        return {"shape_type": "rectangle", "points": [[x, y], [x + number("width"), y + number("height")]]}
    if kind in {"circle", "ellipse"}:
        x, y = number("cx"), number("cy")
        if kind == "circle":
            return {"shape_type": "circle", "points": [[x, y], [x + number("r"), y]]}
        angle = check_number(shape.get("theta", 0), "theta")
        long, short = number("rx"), number("ry")
        ends = [
            [x + long * math.cos(angle), y + long * math.sin(angle)],
            [x - short * math.sin(angle), y + short * math.cos(angle)],
        ]
        return {"shape_type": "ellipse", "points": [[x, y], *ends]}
    raise ShapeFault("C5", f"is of the kind {kind[:30]!a}, which has no area or is not known")
