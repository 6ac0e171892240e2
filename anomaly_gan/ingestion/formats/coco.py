"""COCO instance segmentation: any JSON files of that content, wherever in the source they and the photographs lie.

So export CVAT, Label Studio, Roboflow, FiftyOne, Supervisely, VIA, makesense and labelme2coco. Photographs are found by
``ingest.photo_finder``; several files (one for train, one for val) are one set. Segmentations are checked and drawn in
Python (``ingest.rle``, ``ingest.polygons``); several polygons of one annotation are its union, as in COCO itself.
Boxes and areas are computed anew from the mask (D10, D11). An annotation without a usable mask refuses its whole
photograph: left out, it would be learnt as background; where no annotation has an outline, boxes are filled, with a
warning (B17). An annotation whose photograph cannot be told (D7) refuses every photograph without annotations: one of
them may be it. ``iscrowd`` is kept (D12), the same annotation twice counts once (D16), categories called background
count as nothing (D9), photographs without annotations are sound (D15). ``group_id`` of an image names its group where
no other grouping is configured. ``coco_url`` is never fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.masks import mask_area, mask_box_xywh
from ..json_reader import MAX_JSON_BYTES, kind_of, parse_json
from ..ledger import Ledger, Notes, refuse
from ..photo_finder import PhotoFinder
from ..polygons import ShapeFault
from ..source_tree import SourceTree, list_tree, suffix_of
from .base import Instance, Item, Label, ReadOptions
from .coco_index import CocoIndex, Key, index_coco, key_of
from .coco_segmentation import compare, draw_segmentation, fill_box
from .sidefile import copy_photo

BACKGROUND = frozenset({"background", "_background_", "__background__", "bg"})
LABEL_FOLDERS = frozenset({"annotations", "annotation", "ann", "labels", "json", "coco"})
LOOKED_AT = 200
"""JSON files looked at for COCO content; labelme's are many, COCO's few."""


def fits(tree: SourceTree) -> bool:
    return bool(_files(tree, LOOKED_AT))


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per image of the files; photographs that they do not name are counted as ignored.

    Raises:
        InputError: MISSING there is no COCO file, or what ``index_coco`` raises; D13 a photograph stands twice.
    """
    files = [tree.label_file] if tree.label_file is not None else _files(tree, 10**6)
    if not files:
        named = next((name for name in tree.files if name == "annotations.json"), None)
        if named is None:
            raise refuse(str(tree.root), "MISSING", "no JSON with COCO's images", "give the COCO JSON itself")
        files = [named]
    finder = PhotoFinder(tree, options.images)
    items: list[Item] = []
    used: dict[str, str] = {}
    for name in files:
        index = index_coco(name, parse_json(name, tree.read(name, MAX_JSON_BYTES)), ledger)
        items += _items_of(name, index, finder, options, ledger, used)
    for other in set(tree.files) - set(used) - set(files):
        ledger.ignore("not named in the label file", other)
    return sorted(items, key=lambda item: item.file)


def _items_of(
    name: str, index: CocoIndex, finder: PhotoFinder, options: ReadOptions, ledger: Ledger, used: dict[str, str]
) -> Iterator[Item]:
    for key, row in index.images:
        ledger.found += 1
        where = f"{name}[image {key[1]}][file_name]"
        try:
            file = finder.find(row.get("file_name"), name)
        except ShapeFault as fault:
            ledger.reject(where, refuse(where, fault.code, fault.reason, "name files of the source; --images DIR"))
            continue
        if file is None:
            reason = f"there is no photograph {str(row.get('file_name'))[:120]} in the source"
            ledger.reject(where, refuse(where, "B11", reason, "put it there, or say where they are: --images DIR"))
            continue
        if file in used:
            reason = f"{file} stands also under {used[file]}"
            raise refuse(where, "D13", reason, "merge the two, or give one JSON file as the source")
        used[file] = f"the id {key[1]} of {name}"
        group = row.get("group_id")
        group = str(group) if isinstance(group, str | int) and not isinstance(group, bool) else None
        read = partial(_read_label, name, index, key, row, options, file in finder.guessed)
        if index.unmoored is not None and not index.annotations.get(key):
            read = partial(_refuse_unmoored, where, index.unmoored)
        yield Item(file, read, _categories(index, key), group)


def _refuse_unmoored(where: str, annotation: str, notes: Notes) -> Label:
    reason = f"has no annotation, but {annotation} names no photograph of the file and may belong to it"
    raise refuse(where, "D7", reason, "correct or remove that annotation")


def _files(tree: SourceTree, most: int) -> list[str]:
    """The JSON files with COCO content, among the first ``most``."""
    found = []
    for name in [name for name in tree.files if suffix_of(name) == ".json"][:most]:
        head = tree.head(name, 4096)
        if b'"shapes"' in head and b'"images"' not in head:
            continue  # labelme's, without reading the picture in it
        try:
            if kind_of(parse_json(name, tree.read(name, MAX_JSON_BYTES))) == "coco":
                found.append(name)
        except InputError:
            continue  # a broken file says nothing about the format; its reader refuses it by name
    return found


def tree_of_file(path: Path, images: str | None = None) -> SourceTree:
    """The source that a COCO file names: itself and its photographs, below its folder or, where that is called
    ``annotations`` or the like, the one above."""
    folder = path.parent.resolve()
    root = folder.parent if folder.name.lower() in LABEL_FOLDERS else folder
    name = (folder / path.name).relative_to(root).as_posix()
    whole = list_tree(root, Ledger())
    content = parse_json(name, SourceTree(root, [name]).read(name, MAX_JSON_BYTES))
    rows = content.get("images") if isinstance(content, dict) else None
    finder = PhotoFinder(whole, images)
    files = {name}
    for row in rows if isinstance(rows, list) else []:
        try:
            found = finder.find(row.get("file_name") if isinstance(row, dict) else None, name)
        except ShapeFault:
            continue  # read_items refuses it by name
        if found is not None:
            files.add(found)
    return SourceTree(root, sorted(files), name, whole.pictures)


def _categories(index: CocoIndex, key: Key) -> tuple[str, ...] | None:
    """The category names on an image, or None where they are not certain."""
    rows = index.annotations.get(key, [])
    if any("orphan" in row for _, row in rows):
        return None
    names = {index.categories[_category_key(row)] for _, row in rows}
    return tuple(sorted(name for name in names if name.casefold() not in BACKGROUND))


def _category_key(row: dict[str, object]) -> Key:
    key = key_of(row["category_id"])
    assert key is not None  # index_coco let it through
    return key


def _read_label(
    name: str, index: CocoIndex, key: Key, row: dict[str, object], options: ReadOptions, guessed: bool, notes: Notes
) -> Label:
    where = f"{name}[image {key[1]}]"
    if guessed:
        notes.repair("D14", "file_name leads to no photograph: the one of that name in the source was taken")
    drawn = []
    for position, entry in index.annotations.pop(key, []):  # read once: a million of them are not kept beside the masks
        if "orphan" in entry:
            raise refuse(where, "D7", f"annotation number {position} has no known category", "correct its category_id")
        if index.categories[_category_key(entry)].casefold() in BACKGROUND:
            notes.repair("D9", "annotations of the background left out")
            continue
        drawn.append((position, entry))
    size_hw = _declared_size(where, row)
    return Label(size_hw, not drawn, partial(_draw, name, index, drawn, options, notes), where, "C1")


def _declared_size(where: str, row: dict[str, object]) -> tuple[int, int] | None:
    sides = row.get("height"), row.get("width")
    if sides == (None, None):
        return None
    whole = [int(side) if isinstance(side, float) and side.is_integer() else side for side in sides]
    if not all(type(side) is int and 0 < side < 2**31 for side in whole):
        raise refuse(f"{where}[height, width]", "D3", f"are {str(sides)[:60]}, not positive integers", "correct them")
    return whole[0], whole[1]  # type: ignore[return-value]


def _draw(
    name: str,
    index: CocoIndex,
    rows: list[tuple[int, dict[str, object]]],
    options: ReadOptions,
    notes: Notes,
    size_hw: tuple[int, int],
) -> Iterator[Instance]:
    seen: set[tuple[str, tuple[int, ...], bytes]] = set()
    for position, row in rows:
        place = f"{name}[annotation {row.get('id', position)}]"
        mask_01 = _pixels(f"{place}[segmentation]", row, index, options, notes, size_hw)
        category = index.categories[_category_key(row)]
        x, y, w, h = box = mask_box_xywh(mask_01)
        part = mask_01[y : y + h, x : x + w]
        mark = (category, (*box,), np.packbits(part).tobytes())
        if mark in seen:
            notes.repair("D16", "the same annotation twice counts once")
            continue
        seen.add(mark)
        compare(row, box, mask_area(part), size_hw, notes, index.fractions)
        crowd = _crowd(place, row.get("iscrowd"))
        if crowd:
            notes.warn("D12", "crowd annotations are kept as such")
        source_id = row.get("id", position)
        origin = {"source_id": source_id} if isinstance(source_id, int | str) else {}
        yield Instance(category, mask_01, crowd, origin, (x, y, w, h))


def _pixels(
    where: str, row: dict[str, object], index: CocoIndex, options: ReadOptions, notes: Notes, size_hw: tuple[int, int]
) -> np.ndarray:
    value = row.get("segmentation")
    fill = options.boxes == "fill" or (options.boxes == "auto" and index.boxes_alone)
    try:
        if fill and not value and row.get("bbox"):
            notes.warn("B17", "labels that are boxes alone: each box counts as its mask")
            mask_01 = fill_box(row["bbox"], size_hw, index.fractions)
        else:
            mask_01 = draw_segmentation(value, size_hw, notes, index.fractions)
    except ShapeFault as fault:
        remedy = "draw the annotation again"
        if fault.code == "D5" and not value:
            remedy += ", or take boxes as masks: set boxes=fill"
        raise refuse(where, fault.code, fault.reason, remedy) from fault
    if not mask_01.any():
        raise refuse(where, "D5", "covers no pixel", "draw the annotation again")
    return mask_01


def _crowd(place: str, value: Any) -> int:
    if value in (0, 1, None) or (isinstance(value, str) and value.strip() in {"0", "1", ""}):
        return int(value or 0)
    raise refuse(f"{place}[iscrowd]", "D12", f"is {str(value)[:20]!a}", "set 0 or 1")


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """``annotations.json`` with run lengths, and ``images/``: a data set of this project, which COCO readers read."""
    for image in dataset.images:
        copy_photo(dataset, image, out / "images")
    dataset.save(out)
    return {}
