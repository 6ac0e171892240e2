"""MVTec AD folders of one object: ``train/good``, ``test/<defect>``, ``ground_truth/<defect>/<stem>_mask.png``.

Its own division into train and test is not kept: photographs of both are pooled and split by group, because in
some of its objects the two were taken under another light (``datasets/DATASETS.md``, section 3).
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from ..ledger import Ledger, refuse
from ..source_tree import PHOTO_SUFFIXES, SourceTree, suffix_of
from .base import Item, ReadOptions
from .mask_png import read_mask_label


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph in ``train`` and ``test``; masks without a photograph are refused (B11)."""
    photos: dict[tuple[str, str], str] = {}
    masks: dict[tuple[str, str], list[str]] = {}
    items: list[str] = []
    for name in tree.files:
        parts = PurePosixPath(name).parts
        if suffix_of(name) not in PHOTO_SUFFIXES or len(parts) != 3:
            ledger.ignore("not a photograph", name)
        elif parts[0] == "ground_truth":
            stem = PurePosixPath(name).stem
            masks.setdefault((parts[1], stem.removesuffix("_mask")), []).append(name)
        elif parts[0] in {"train", "test"}:
            items.append(name)
            if parts[0] == "test":
                photos[parts[1], PurePosixPath(name).stem] = name
        else:
            ledger.ignore("not in train, test or ground_truth", name)
    for key, names in sorted(masks.items()):
        for name in names:
            if key in photos:
                ledger.ignore("mask of a photograph", name)
                continue
            ledger.found += 1
            ledger.reject(
                name, refuse(name, "B11", "no photograph has this mask's stem", f"expected test/{key[0]}/{key[1]}.png")
            )
    ledger.found += len(items)
    return [_item(tree, options, name, masks) for name in items]


def _item(tree: SourceTree, options: ReadOptions, name: str, masks: dict[tuple[str, str], list[str]]) -> Item:
    split, category, _ = PurePosixPath(name).parts
    normal = options.is_normal(category)
    found = masks.get((category, PurePosixPath(name).stem), []) if split == "test" else []
    read = partial(read_mask_label, tree, options, name, found, category, normal)
    return Item(name, read, () if normal else (category,))
