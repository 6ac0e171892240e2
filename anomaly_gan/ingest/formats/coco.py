"""COCO instance segmentation: a JSON file, or a folder with ``annotations.json``; photographs beside or in ``images/``.

Segmentations are checked and drawn in Python (``core.rle``, ``core.polygons``); several polygons of one annotation are
its union, as in COCO itself. Boxes and areas are computed anew from the mask (D10, D11). An annotation without a
usable mask refuses its whole photograph: left out, it would be learnt as background. ``iscrowd`` is kept (D12), the
same annotation twice counts once (D16), categories called background count as nothing (D9), photographs without
annotations are normal (D15). ``group_id`` of an image names its group where no other grouping is configured.
``coco_url`` is never fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..json_reader import MAX_JSON_BYTES, parse_json
from ..ledger import Ledger, Notes, refuse
from ..paths import confined
from ..polygons import ShapeFault, check_number, fill_ring, leaves_image, read_points
from ..rle import read_rle
from ..source_tree import SourceTree, is_inside
from .base import Instance, Item, Label, ReadOptions
from .coco_index import CocoIndex, Key, index_coco

ANNOTATIONS = "annotations.json"
BACKGROUND = frozenset({"background", "_background_", "__background__", "bg"})


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per image of the file; photographs that it does not name are counted as ignored.

    Raises:
        InputError: the file cannot be read as COCO, ids (D6) or file names (D13) stand twice.
    """
    name = tree.label_file or ANNOTATIONS
    if name not in tree.files:
        raise refuse(name, "MISSING", "no such file in the source folder", "give the COCO JSON file itself as root")
    index = index_coco(name, parse_json(name, tree.read(name, MAX_JSON_BYTES)), ledger)
    known = set(tree.files)
    items: list[Item] = []
    used: dict[str, Key] = {}
    for key, row in index.images:
        ledger.found += 1
        where = f"{name}[image {key[1]}][file_name]"
        try:
            path = confined(row.get("file_name"), (), "D14", climb=False)
        except ShapeFault as fault:
            ledger.reject(where, refuse(where, fault.code, fault.reason, "name files below the JSON's folder"))
            continue
        file = next((place for place in (path, f"images/{path}") if place in known), None)
        if file is None:
            ledger.reject(
                where,
                refuse(where, "B11", f"there is no photograph {path} beside the file or in images/", "put it there"),
            )
            continue
        if file in used:
            raise refuse(where, "D13", f"{path} stands under the ids {used[file][1]} and {key[1]}", "merge the two")
        used[file] = key
        group = row.get("group_id")
        items.append(
            Item(
                file,
                partial(_read_label, name, index, key, row),
                _categories(index, key),
                str(group) if isinstance(group, str | int) and not isinstance(group, bool) else None,
            )
        )
    for other in known - set(used) - {name}:
        ledger.ignore("not named in the label file", other)
    return sorted(items, key=lambda item: item.file)


def tree_of_file(path: Path) -> SourceTree:
    """The source that a COCO file names: itself and those of its photographs that lie below its folder."""
    root = path.parent.resolve()
    alone = SourceTree(root, [path.name], path.name)
    content = parse_json(path.name, alone.read(path.name, MAX_JSON_BYTES))
    rows = content.get("images") if isinstance(content, dict) else None
    files = {path.name}
    for row in rows if isinstance(rows, list) else []:
        try:
            named = confined(row.get("file_name") if isinstance(row, dict) else None, (), "D14", climb=False)
        except ShapeFault:
            continue  # read_items refuses it by name
        files.update(
            place for place in (named, f"images/{named}") if (root / place).is_file() and is_inside(root, root / place)
        )
    return SourceTree(root, sorted(files), path.name)


def _categories(index: CocoIndex, key: Key) -> tuple[str, ...] | None:
    """The category names on an image, or None where they are not certain."""
    rows = index.annotations.get(key, [])
    if any("orphan" in row for _, row in rows):
        return None
    names = {index.categories[_category_key(row)] for _, row in rows}
    return tuple(sorted(name for name in names if name.casefold() not in BACKGROUND))


def _category_key(row: dict[str, Any]) -> Key:
    value = row["category_id"]
    return ("text", value) if isinstance(value, str) else ("number", int(value))


def _read_label(name: str, index: CocoIndex, key: Key, row: dict[str, Any], notes: Notes) -> Label:
    where = f"{name}[image {key[1]}]"
    drawn = []
    for position, entry in index.annotations.get(key, []):
        if "orphan" in entry:
            raise refuse(where, "D7", f"annotation number {position} has no known category", "correct its category_id")
        if index.categories[_category_key(entry)].casefold() in BACKGROUND:
            notes.repair("D9", "annotations of the background left out")
            continue
        drawn.append((position, entry))
    return Label(_declared_size(where, row), not drawn, partial(_draw, name, index, drawn, notes), where, "C1")


def _declared_size(where: str, row: dict[str, Any]) -> tuple[int, int] | None:
    sides = row.get("height"), row.get("width")
    if sides == (None, None):
        return None
    whole = [int(side) if isinstance(side, float) and side.is_integer() else side for side in sides]
    if not all(type(side) is int and 0 < side < 2**31 for side in whole):
        raise refuse(f"{where}[height, width]", "D3", f"are {str(sides)[:60]}, not positive integers", "correct them")
    return whole[0], whole[1]  # type: ignore[return-value]


def _draw(
    name: str, index: CocoIndex, rows: list[tuple[int, dict[str, Any]]], notes: Notes, size_hw: tuple[int, int]
) -> Iterator[Instance]:
    seen: set[tuple[str, bytes]] = set()
    for position, row in rows:
        where = f"{name}[annotation {row.get('id', position)}][segmentation]"
        try:
            mask_01 = draw_segmentation(row.get("segmentation"), size_hw, notes)
        except ShapeFault as fault:
            raise refuse(where, fault.code, fault.reason, "draw the annotation again") from fault
        if not mask_01.any():
            raise refuse(where, "D5", "covers no pixel", "draw the annotation again")
        category = index.categories[_category_key(row)]
        mark = (category, np.packbits(mask_01).tobytes())
        if mark in seen:
            notes.repair("D16", "the same annotation twice counts once")
            continue
        seen.add(mark)
        _compare(row, mask_01, notes)
        crowd = row.get("iscrowd", 0)
        if crowd not in (0, 1, None):
            raise refuse(
                f"{name}[annotation {row.get('id', position)}][iscrowd]", "D12", f"is {str(crowd)[:20]!a}", "set 0 or 1"
            )
        if crowd:
            notes.warn("D12", "crowd annotations are kept as such")
        source_id = row.get("id", position)
        origin = {"source_id": source_id} if isinstance(source_id, int | str) else {}
        yield Instance(category, mask_01, int(bool(crowd)), origin)


def draw_segmentation(value: Any, size_hw: tuple[int, int], notes: Notes) -> np.ndarray:
    """mask_01 (H, W) of a COCO segmentation: RLE, a list of polygons, or one flat polygon (repaired, D5).

    Raises:
        ShapeFault: D1, D2, D3 for RLE, D5 what is neither, C6, C7, C8 for polygons.
    """
    if isinstance(value, dict):
        return read_rle(value, size_hw)
    if not isinstance(value, list) or not value:
        raise ShapeFault("D5", "is missing or empty: a box alone is no mask")
    if not any(isinstance(part, list) for part in value):
        notes.repair("D5", "flat polygon taken as a list of one")
        value = [value]
    mask_01 = np.zeros(size_hw, np.uint8)
    for number, part in enumerate(value):
        if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
            count = len(part) if isinstance(part, list) else 0
            raise ShapeFault("D5", f"polygon {number} has {count} numbers, needs an even count of at least 6")
        for coordinate in part:
            check_number(coordinate, f"polygon {number}")
        points = read_points([list(pair) for pair in zip(part[::2], part[1::2], strict=True)])
        if leaves_image(points, size_hw):
            notes.repair("C7", "polygons clipped at the photograph's edge")
        mask_01 |= fill_ring(points, size_hw)
    return mask_01


def _compare(row: dict[str, Any], mask_01: np.ndarray, notes: Notes) -> None:
    """Note where the file's own box (by more than 1 pixel) or area (by more than a tenth) contradict the mask."""
    rows, columns = np.flatnonzero(mask_01.any(axis=1)), np.flatnonzero(mask_01.any(axis=0))
    tight = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
    box = row.get("bbox")
    try:
        near = (
            isinstance(box, list)
            and len(box) == 4
            and all(abs(check_number(given, "bbox") - float(true)) <= 1 for given, true in zip(box, tight, strict=True))
        )
    except ShapeFault:
        near = False
    if not near:
        notes.repair("D10", "box computed anew from the mask")
    area, true_area = row.get("area"), int(mask_01.sum())
    if not isinstance(area, int | float) or not abs(area - true_area) <= max(2.0, 0.1 * true_area):
        notes.repair("D11", "area computed anew from the mask")
