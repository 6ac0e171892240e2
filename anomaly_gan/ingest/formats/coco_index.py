"""The outer shape of a foreign COCO file: ids made comparable, duplicates stopped, orphans refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..ledger import Ledger, refuse

Key = tuple[str, int | str]


@dataclass(frozen=True)
class CocoIndex:
    """``images``: (id, record); ``annotations``: by image id, with their place in the file; ``categories``: names."""

    images: list[tuple[Key, dict[str, Any]]]
    annotations: dict[Key, list[tuple[int, dict[str, Any]]]]
    categories: dict[Key, str]


def key_of(value: Any) -> Key | None:
    """An id in comparable form: 1 and 1.0 are the same, "1" is another; None where it cannot be an id (D8)."""
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
    lists: dict[str, list[dict[str, Any]]] = {}
    for part in ("images", "annotations", "categories"):
        rows = content.get(part, [] if part != "images" else None)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise refuse(f"{name}[{part}]", "C15", "is not a list of objects", "export COCO instance segmentation")
        lists[part] = rows
    images = _unique(name, "images", lists["images"])
    categories: dict[Key, str] = {}
    for key, row in _unique(name, "categories", lists["categories"]):
        if not isinstance(row.get("name"), str):
            raise refuse(f"{name}[category {key[1]}]", "D9", "has no name", "name it")
        categories[key] = row["name"]
    if len(set(categories.values())) != len(categories):
        raise refuse(f"{name}[categories]", "D6", "one name stands under two ids", "merge the two")
    _unique(name, "annotations", [row for row in lists["annotations"] if row.get("id") is not None])
    annotations: dict[Key, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    known = {key for key, _ in images}
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
            if image in known and image is not None:
                annotations[image].append((position, {"orphan": True}))
            continue
        annotations[image].append((position, row))
    return CocoIndex(images, annotations, categories)


def _unique(name: str, part: str, rows: list[dict[str, Any]]) -> list[tuple[Key, dict[str, Any]]]:
    result: dict[Key, dict[str, Any]] = {}
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
