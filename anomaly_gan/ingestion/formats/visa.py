"""VisA: ``<object>/Data/Images/Normal``, ``.../Anomaly`` and ``Data/Masks/Anomaly/<stem>.png``.

Every value but 0 is an anomaly there; what the values tell apart is not published. The category is ``anomaly``, unless
``--classes`` says more. Of several objects in one root, ``--object`` picks one.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from ..ledger import Ledger, refuse
from ..source_tree import SourceTree
from .base import Item, ReadOptions
from .folders import below, pick_object
from .mask_png import known_categories, read_mask_label

CATEGORY = "anomaly"


def fits(tree: SourceTree) -> bool:
    return bool(objects_of(tree))


def objects_of(tree: SourceTree) -> list[str]:
    """The folders that hold ``Data/Images/Normal`` or ``Data/Images/Anomaly``; the root may be ``Data`` itself."""
    found = set()
    for name in tree.files:
        parts = name.split("/")
        for at in range(len(parts) - 2):
            if parts[at] == "Images" and parts[at + 1] in {"Normal", "Anomaly"}:
                found.add("/".join(parts[: at - 1] if at and parts[at - 1] == "Data" else parts[:at]))
    masks = {name for name in tree.files if "/Masks/Anomaly/" in f"/{name}"}
    return sorted(folder for folder in found if any(below(folder, name) for name in masks))


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph of the object; masks without a photograph are refused (B11)."""
    folder = pick_object(tree, objects_of(tree), options)
    photos: list[tuple[str, str]] = []
    masks: dict[str, str] = {}
    for name in tree.files:
        inner = below(folder, name)
        parts = PurePosixPath(inner.removeprefix("Data/") if inner else "").parts
        if inner is None or not tree.is_photo(name) or len(parts) != 3:
            ledger.ignore("of another object" if inner is None else "not a photograph", name)
        elif parts[:2] == ("Masks", "Anomaly"):
            masks[PurePosixPath(name).stem] = name
        elif parts[0] == "Images" and parts[1] in {"Normal", "Anomaly"}:
            photos.append((name, parts[1]))
        else:
            ledger.ignore("not a photograph", name)
    stems = {PurePosixPath(name).stem for name, kind in photos if kind == "Anomaly"}
    for stem, mask in sorted(masks.items()):
        if stem in stems:
            ledger.ignore("mask of a photograph", mask)
            continue
        ledger.found += 1
        ledger.reject(
            mask, refuse(mask, "B11", "no photograph has this mask's stem", f"expected Images/Anomaly/{stem}.JPG")
        )
    ledger.found += len(photos)
    return [_item(tree, options, name, kind, masks.get(PurePosixPath(name).stem)) for name, kind in photos]


def _item(tree: SourceTree, options: ReadOptions, name: str, kind: str, mask: str | None) -> Item:
    category = "normal" if kind == "Normal" else CATEGORY
    found = [mask] if mask is not None and kind == "Anomaly" else []
    read = partial(read_mask_label, tree, options, name, found, category, several=True, normal=kind == "Normal")
    return Item(name, read, () if kind == "Normal" else known_categories(options, category))
