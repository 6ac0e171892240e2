"""Real-IAD: ``<object>/OK/<part>/*.jpg`` and ``<object>/NG/<defect>/<part>/*.jpg`` with a PNG of the same stem as mask.

The folder of the part (``S0001``), which holds its photographs from five cameras, is the group. Of several objects in
one root, ``--object`` picks one.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from ..ledger import Ledger, Notes, refuse
from ..source_tree import SourceTree, suffix_of
from .base import NO_DEFECT, Item, Label, ReadOptions
from .folders import below, pick_object
from .mask_png import known_categories, read_mask_label


def fits(tree: SourceTree) -> bool:
    return bool(objects_of(tree))


def objects_of(tree: SourceTree) -> list[str]:
    """The folders that hold ``OK/<part>/`` and ``NG/<defect>/<part>/`` with photographs."""
    good, bad = set(), set()
    for name in tree.photos():
        parts = name.split("/")
        for at, part in enumerate(parts):
            if part == "OK" and len(parts) == at + 3:
                good.add("/".join(parts[:at]))
            elif part == "NG" and len(parts) == at + 4:
                bad.add("/".join(parts[:at]))
    return sorted(good & bad)


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph of the object."""
    folder = pick_object(tree, objects_of(tree), options)
    names = [name for name in tree.photos() if below(folder, name) is not None]
    lossy = {str(PurePosixPath(name).with_suffix("")): name for name in names if suffix_of(name) != ".png"}
    masks = {name: lossy[key] for name in names if (key := str(PurePosixPath(name).with_suffix(""))) in lossy}
    masks = {mask: photo for mask, photo in masks.items() if mask != photo}
    mask_of = {photo: mask for mask, photo in masks.items()}
    items = []
    for name in tree.files:
        inner = below(folder, name)
        parts = PurePosixPath(inner or "").parts
        if inner is None or not tree.is_photo(name):
            ledger.ignore("of another object" if inner is None else "not a photograph", name)
        elif name in masks:
            ledger.ignore("mask of a photograph", name)
        elif parts[0] in {"OK", "NG"} and len(parts) in {3, 4}:
            ledger.found += 1
            items.append(_item(tree, options, name, parts, mask_of.get(name)))
        else:
            ledger.ignore("not in OK or NG", name)
    return items


def _item(tree: SourceTree, options: ReadOptions, name: str, parts: tuple[str, ...], mask: str | None) -> Item:
    group = str(PurePosixPath(name).parent)
    if parts[0] == "OK":
        return Item(name, partial(_sound, mask) if mask else lambda notes: NO_DEFECT, (), group)
    read = partial(read_mask_label, tree, options, name, [mask] if mask else [], parts[1], normal=False)
    return Item(name, read, known_categories(options, parts[1]), group, by_folder=True)


def _sound(mask: str, notes: Notes) -> Label:
    raise refuse(mask, "B7", "is a mask in the folder OK", "move the photograph to NG, or remove the mask")
