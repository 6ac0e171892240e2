"""Folders as MVTec AD has them, one object each: ``train/good``, ``test/<defect>``, ``ground_truth/<defect>``.

So come MVTec AD, MPDD and VisA's one-class form; BTAD (``ok`` and ``ko``, masks with the photograph's own name), MVTec
LOCO (``validation/good``, a folder of masks for each photograph) and MVTec AD 2 (``test_public`` with its own
``ground_truth``; ``test_private`` has no labels and is skipped). Of several objects in a root, ``--object`` picks one.

Its own division into train and test is not kept: photographs of both are pooled and split by group, because in
some of its objects the two were taken under another light (``datasets/DATASETS.md``, section 3).
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from ...core.dataset import Dataset
from ...core.images import write_png
from ..ledger import Ledger, refuse
from ..mask_names import _without_word
from ..source_tree import SourceTree
from .base import Item, ReadOptions
from .folders import below, pick_object
from .mask_png import known_categories, read_mask_label
from .sidefile import copy_photo, flat_stems, write_side_file

PHOTOS = ("train", "validation", "test", "test_public")
TRUTHS = ("ground_truth", "test_public/ground_truth")
UNLABELLED = ("test_private", "test_private_mixed")


def fits(tree: SourceTree) -> bool:
    """Whether some folder has ``train``, a test folder and the ground truth."""
    return bool(objects_of(tree))


def objects_of(tree: SourceTree) -> list[str]:
    """The folders of objects, ``""`` for the root itself."""
    parts: dict[str, set[str]] = defaultdict(set)
    for name in tree.files:
        folders = name.split("/")[:-1]
        for at, folder in enumerate(folders):
            if folder in {*PHOTOS, "ground_truth"}:
                parts["/".join(folders[:at])].add(folder)
    return sorted(folder for folder, found in parts.items() if "train" in found and _has_truth(folder, found, parts))


def _has_truth(folder: str, found: set[str], parts: dict[str, set[str]]) -> bool:
    inner = f"{folder}/test_public" if folder else "test_public"
    return "ground_truth" in found or "ground_truth" in parts.get(inner, set())


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph in ``train`` and ``test``; masks without a photograph are refused (B11)."""
    folder = pick_object(tree, objects_of(tree) or [""], options)
    photos: dict[tuple[str, str], str] = {}
    masks: dict[tuple[str, str], list[str]] = {}
    items: list[str] = []
    for name in tree.files:
        inner = below(folder, name)
        if inner is None:
            ledger.ignore("of another object", name)
        elif not tree.is_photo(name):
            ledger.ignore("not a photograph", name)
        else:
            _sort_in(name, inner, photos, masks, items, ledger)
    for key, names in sorted(masks.items()):
        for name in names:
            if key in photos:
                ledger.ignore("mask of a photograph", name)
                continue
            ledger.found += 1
            expected = f"expected test/{key[0]}/{key[1]}.png"
            ledger.reject(name, refuse(name, "B11", "no photograph has this mask's stem", expected))
    ledger.found += len(items)
    mask_of = {photo: masks.get(key, []) for key, photo in photos.items()}
    return [_item(tree, options, folder, name, mask_of.get(name, [])) for name in items]


def _sort_in(
    name: str,
    inner: str,
    photos: dict[tuple[str, str], str],
    masks: dict[tuple[str, str], list[str]],
    items: list[str],
    ledger: Ledger,
) -> None:
    truth = next((truth for truth in TRUTHS if inner.startswith(f"{truth}/")), None)
    parts = PurePosixPath(inner if truth is None else inner[len(truth) + 1 :]).parts
    if truth is not None:
        if len(parts) not in {2, 3}:
            ledger.ignore("not in train, test or ground_truth", name)
            return
        stem = PurePosixPath(parts[-1]).stem
        own = parts[1] if len(parts) == 3 else next(iter(_without_word(stem)), stem)
        masks.setdefault((parts[0], own), []).append(name)
    elif parts[0] in PHOTOS and len(parts) == 3:
        items.append(name)
        if parts[0] in {"test", "test_public"}:
            photos[parts[1], PurePosixPath(name).stem] = name
    elif parts[0] in UNLABELLED:
        ledger.found += 1
        ledger.skip(name, "its labels are not published")
    else:
        ledger.ignore("not in train, test or ground_truth", name)


def _item(tree: SourceTree, options: ReadOptions, folder: str, name: str, masks: list[str]) -> Item:
    category = PurePosixPath(below(folder, name) or name).parts[1]
    read = partial(read_mask_label, tree, options, name, masks, category, several=len(masks) > 1)
    return Item(name, read, known_categories(options, category), by_folder=True)


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """One object: sound photographs in ``train/good`` and ``test/good`` by their split, the others in ``test``.

    The folder of a photograph with several categories is the one with the most pixels; its mask holds all of them.
    """
    names, labels, stems = dataset.category_names(), dataset.by_image(), flat_stems(dataset)
    files: dict[str, str] = {}
    mixed = crowds = 0
    for image in dataset.images:
        every = labels.get(image.id, [])
        items = [item for item in every if not item.iscrowd]
        crowds += len(every) - len(items)
        stem = stems[image.file_name]
        if not items:
            if every:
                continue  # nothing but what counts as nothing: neither sound nor defective
            side = "test" if image.split == "test" else "train"
            files[image.file_name] = copy_photo(dataset, image, out, f"{side}/good/{stem}")
            continue
        areas: dict[str, int] = defaultdict(int)
        mask_01 = np.zeros((image.height, image.width), np.uint8)
        for item in items:
            areas[names[item.category_id]] += item.area
            mask_01 |= item.mask()
        mixed += len(areas) > 1
        category = max(sorted(areas), key=lambda name: areas[name])
        files[image.file_name] = copy_photo(dataset, image, out, f"test/{category}/{stem}")
        write_png(out / "ground_truth" / category / f"{stem}_mask.png", mask_01 * 255)
    kept = dataset.select(lambda image: image.file_name in files)
    write_side_file(kept, out, files)
    return {
        "photographs_of_several_categories": mixed,
        "crowds_left_out": crowds,
        "photographs_left_out": len(dataset.images) - len(kept.images),
    }
