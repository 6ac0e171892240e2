"""The outer shape of a foreign COCO file: ids made comparable, duplicates stopped, orphans refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..ledger import Ledger, refuse

Key = tuple[str, int | str]


@dataclass(frozen=True)
class CocoIndex:
    """``images``: (id, record); ``annotations``: by image id, with their place in the file; ``categories``: names.

    ``unmoored``: the place of the first annotation whose photograph cannot be told; any photograph without annotation
    may be it. ``fractions``: all coordinates lie from 0 to 1. ``boxes_alone``: no annotation has an outline.
    """

    images: list[tuple[Key, dict[str, object]]]
    annotations: dict[Key, list[tuple[int, dict[str, object]]]]
    categories: dict[Key, str]
    unmoored: str | None = None
    fractions: bool = False
    boxes_alone: bool = False


def key_of(value: Any) -> Key | None:
    """An id in comparable form: 1, 1.0 and "1" are the same; None where it cannot be an id (D8)."""
    if isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit() and str(int(value)) == value:
        return "number", int(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return "number", value
    if isinstance(value, float) and value.is_integer():
        return "number", int(value)
    return ("text", value) if isinstance(value, str) else None


def index_coco(name: str, content: Any, ledger: Ledger) -> CocoIndex:
    """Index the file ``name``; annotations without their image or category are refused one by one (D7).

    Ids of any kind are accepted and forgotten: the data set numbers from 1 (D8, D9).

    Raises:
        InputError: C15 no COCO file; D6 an id or a category name stands twice, D8 an id that is none.
    """
    if not isinstance(content, dict):
        raise refuse(name, "C15", "is not a COCO file", "give the JSON with images, annotations and categories")
    lists: dict[str, list[dict[str, object]]] = {}
    for part in ("images", "annotations", "categories"):
        rows = content.get(part, [] if part != "images" else None)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise refuse(f"{name}[{part}]", "C15", "is not a list of objects", "export COCO instance segmentation")
        lists[part] = rows
    if lists["annotations"] and not lists["categories"]:
        remedy = 'add the list that ids refer to: "categories": [{"id": 1, "name": "crack"}]'
        raise refuse(f"{name}[categories]", "D7", "is missing or empty", remedy)
    images = _unique(name, "images", lists["images"])
    categories = _categories(name, lists)
    _unique(name, "annotations", [row for row in lists["annotations"] if row.get("id") is not None])
    annotations: dict[Key, list[tuple[int, dict[str, object]]]] = defaultdict(list)
    known = {key for key, _ in images}
    unmoored: str | None = None
    for position, row in enumerate(lists["annotations"]):
        image, category = key_of(row.get("image_id")), key_of(row.get("category_id"))
        field = "image_id" if image not in known else "category_id" if category not in categories else None
        if field is not None or image is None:
            where = f"{name}[annotation {row.get('id', position)}]"
            ledger.found += 1
            ledger.reject(
                where,
                refuse(
                    f"{where}[{field}]",
                    "D7",
                    f"{str(row.get(field or ''))[:40]!a} is not in the file",
                    "remove the annotation, or add what it refers to",
                ),
            )
            # its photograph is refused with it: a defect left out would be learnt as background
            if image in known and image is not None:
                annotations[image].append((position, {"orphan": True}))
            else:
                unmoored = unmoored or where
            continue
        annotations[image].append((position, row))
    rows = [row for entries in annotations.values() for _, row in entries if "orphan" not in row]
    return CocoIndex(images, annotations, categories, unmoored, all_fractions(rows), _boxes_alone(rows))


def _categories(name: str, lists: dict[str, list[dict[str, object]]]) -> dict[Key, str]:
    """The names of the categories that annotations refer to; those nobody refers to may be anything."""
    used = {key_of(row.get("category_id")) for row in lists["annotations"]}
    rows = [row for row in lists["categories"] if key_of(row.get("id")) in used or key_of(row.get("id")) is None]
    categories: dict[Key, str] = {}
    for key, row in _unique(name, "categories", rows):
        title = row.get("name")
        if isinstance(title, int) and not isinstance(title, bool):
            title = str(title)
        if not isinstance(title, str):
            raise refuse(f"{name}[category {key[1]}]", "D9", "has no name", "name it")
        categories[key] = title
    return categories


def all_fractions(rows: list[dict[str, object]]) -> bool:
    """Whether every polygon of the file has all its coordinates from 0 to 1, as only normalised ones have."""
    found = False
    for row in rows:
        numbers = coordinates(row.get("segmentation"))
        if not numbers:
            if row.get("segmentation"):
                return False
            continue
        if not all(0 <= number <= 1 for number in numbers):
            return False
        found = True
    return found


def coordinates(value: Any) -> list[float]:
    """All numbers of a segmentation made of polygons, however deep; none of run lengths."""
    if isinstance(value, list):
        return [number for part in value[:100_000] for number in coordinates(part)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _boxes_alone(rows: list[dict[str, object]]) -> bool:
    return bool(rows) and not any(row.get("segmentation") for row in rows) and any(row.get("bbox") for row in rows)


def _unique(name: str, part: str, rows: list[dict[str, object]]) -> list[tuple[Key, dict[str, object]]]:
    result: dict[Key, dict[str, object]] = {}
    twice = []
    for position, row in enumerate(rows):
        key = key_of(row.get("id"))
        if key is None:
            raise refuse(f"{name}[{part} {position}][id]", "D8", f"{str(row.get('id'))[:40]!a} is no id", "number it")
        if key in result:
            twice.append(str(key[1])[:40])
        result[key] = row
    if twice:
        raise refuse(f"{name}[{part}]", "D6", f"ids stand twice: {', '.join(twice[:10])}", "make them unique")
    return list(result.items())
