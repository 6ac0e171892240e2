"""Photographs with mask pictures: the category is the folder's name (``mask_names.categories_of``), or what
``--classes`` says.

Which mask belongs to which photograph: see ``ingest.mask_names``. A folder whose name is in ``normal`` holds
photographs without defect: no mask or an all-zero mask is right there, anything else is refused (B7). Folders named
``image(s)``, ``train``, ``test`` or ``val`` are no categories. Photographs that lie in no folder have the category
``defect``, and an all-zero mask says that they are sound; in a folder of a category it is refused (B7), unless the
classes are told. Several masks of one photograph are its instances.

Written: ``images/<name>.png`` and ``masks/<name>.png``, values 1, 2, 3 ... by category, 255 for crowds, with
``classes.yaml`` that says which is which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from ...core.dataset import Dataset
from ...core.errors import ConfigError, InputError
from ...core.files import write_text
from ...core.images import write_png
from ..classes import GROUND, IGNORE
from ..image_files import MAX_BYTES
from ..labels import EVERY
from ..ledger import Ledger, Notes, refuse
from ..mask_files import MaskParts, boxed_components, decode_parts, looks_drawn
from ..mask_names import MASK_FOLDERS, Pairs, categories_of, other_channels, pair_up
from ..mask_patterns import shared_start
from ..source_tree import SourceTree, ignore_others
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions
from .sidefile import copy_photo, write_side_file

NUMBERED_CLASSES = frozenset({"", "class", "defect", "type", "category", "cat", "label", "kind", "c", "error", "fault"})
UNNAMED = "defect"
"""The category of photographs in no folder."""


def fits(tree: SourceTree) -> bool:
    """Whether some picture is the mask of another, by its name."""
    return any(pairs_of(tree).masks.values())


def pairs_of(tree: SourceTree, told: str | None = None) -> Pairs:
    """Photographs and their masks; pictures are looked at where names follow no known rule."""
    photos = tree.photos()
    others = other_channels(photos) if told is None else frozenset()
    names = [name for name in photos if name not in others]
    return pair_up(names, told, lambda name: looks_drawn(name, tree.read(name, MAX_BYTES)))


def unclear_names(tree: SourceTree, pairs: Pairs) -> InputError | None:
    """What to say where masks may be called in several ways, or in one that loses some; None where in no way."""
    if not pairs.choices:
        return None
    first = pairs.choices[0]
    if first.lost:
        reason = f"masks seem to be called {first.pattern!r}, but {first.lost[0]} has no photograph then"
        remedy = f"correct its name, or say how masks are called: --mask-name {first.pattern!r}"
        return InputError(str(tree.root), "FORMAT", reason, remedy)
    told = ", ".join(f"{way.pattern!r} ({len(way.pairs)} masks)" for way in pairs.choices[:4])
    remedy = f"say which: --mask-name {first.pattern!r}"
    return InputError(str(tree.root), "FORMAT", f"masks may be called in several ways: {told}", remedy)


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph; masks without a photograph are refused (B11)."""
    pairs = pairs_of(tree, options.mask_name)
    _stop_at_names(tree, pairs, options.mask_name)
    ignore_others(tree, ledger)
    for other in other_channels(tree.photos()) - pairs.masks.keys() if options.mask_name is None else ():
        ledger.ignore("another channel of a photograph", other)
    for mask, expected in sorted(pairs.lost.items()):
        ledger.found += 1
        ledger.reject(mask, refuse(mask, "B11", "no photograph has this mask's stem", f"expected {expected}"))
    if pairs.pattern is not None and options.mask_name is None:
        ledger.remark(f"Masks are taken to be called {pairs.pattern}: every such picture has its photograph.")
    options = _with_prefix(options, categories_of(pairs.masks, options.is_normal, pairs.photo_folders).values())
    folder_of = categories_of(pairs.masks, options.is_normal, pairs.photo_folders)
    parts = parts_of(folder_of.values())
    alone = len(set(folder_of.values())) == 1
    if parts:
        ledger.remark(f"Folders {min(parts)} to {max(parts)} count as parts, not as categories: each is one object.")
    items = []
    for photo, masks in sorted(pairs.masks.items()):
        for mask in masks:
            ledger.ignore("mask of a photograph", mask)
        ledger.found += 1
        category = folder_of[photo]
        group = category if category in parts else None
        category = None if category in parts else category
        kinds = {mask: pairs.kinds[mask] for mask in masks if mask in pairs.kinds}
        if alone and category is not None and not options.is_normal(category) and _elsewhere(photo, masks):
            # one folder above images and masks is the set's own, in which all-zero masks are sound parts
            kinds, category = dict.fromkeys(masks, category) | kinds, None
        read = partial(read_mask_label, tree, options, photo, masks, category, kinds=kinds)
        if photo in pairs.rivals and masks:
            read = partial(_refuse_rivals, photo, masks[0], pairs.rivals[photo])
        known = None if kinds else known_categories(options, category)
        items.append(Item(photo, read, known, group, by_folder=category is not None))
    return items


def _with_prefix(options: ReadOptions, folders: Iterable[str | None]) -> ReadOptions:
    """With the folders of sound parts that bear the beginning of all: ``MT_Free`` beside ``MT_Crack``."""
    names = {folder for folder in folders if folder is not None}
    begin = re.sub(r"[^_\-. ]*$", "", "".join(shared_start([list(name) for name in names] or [[]])))
    sound = {name.casefold() for name in names if begin and options.is_normal(name[len(begin) :])}
    return replace(options, normal=options.normal | sound) if sound and len(names) > len(sound) else options


def _elsewhere(photo: str, masks: list[str]) -> bool:
    return bool(masks) and all(PurePosixPath(mask).parent != PurePosixPath(photo).parent for mask in masks)


def _stop_at_names(tree: SourceTree, pairs: Pairs, told: str | None) -> None:
    """
    Raises:
        InputError: FORMAT masks may be called in several ways. ConfigError: the way told pairs nothing.
    """
    if (unclear := unclear_names(tree, pairs)) is not None:
        raise unclear
    if told is not None and pairs.masks and not any(pairs.masks.values()):
        shown = ", ".join(sorted(pairs.masks)[:4])
        raise ConfigError(f"--mask-name {told}: no picture in {tree.root} is called so; the first are {shown}")


def parts_of(categories: Iterable[str | None]) -> set[str]:
    """The folders that are parts, one by one, and no categories: at least three, named alike but for a number."""
    folders = {category for category in categories if category is not None}
    names = {re.sub(r"[\W_]*\d+$", "", folder).casefold() for folder in folders}
    numbered = all(folder[-1].isdigit() for folder in folders)
    return folders if len(folders) >= 3 and numbered and len(names) == 1 and not names & NUMBERED_CLASSES else set()


def known_categories(options: ReadOptions, category: str | None) -> tuple[str, ...] | None:
    """What the folder alone says of a photograph's categories: nothing certain, where classes are told."""
    if category is not None and options.is_normal(category):
        return ()
    return None if options.classes is not None or category is None else (category,)


def _refuse_rivals(name: str, mask: str, rivals: list[str], notes: Notes) -> Label:
    raise refuse(name, "B11", f"the mask {mask} fits {len(rivals)} photographs: {', '.join(rivals[:3])}", "rename them")


def read_mask_label(
    tree: SourceTree,
    options: ReadOptions,
    name: str,
    masks: list[str],
    category: str | None,
    notes: Notes,
    several: bool = False,
    normal: bool | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Label:
    """The label in the mask picture(s) of a photograph.

    ``several``: the set says that every value but 0 is defect. ``normal``: whether the folder says so; None: by name.
    ``kinds``: the category of a mask, where its own name says so.

    Args:
        tree: the source.
        options: how the format is to be read.
        name: the photograph.
        masks: its mask pictures.
        category: what the folder says the defect is; None: by the mask or its name.
        notes: takes what was repaired.
        several: the set says that every value but 0 is defect.
        normal: whether the folder says that the part is sound; None: by name.
        kinds: the category of a mask, where its own name says so; None: of none.

    Returns:
        The label: instances by category, or none for a sound part.

    Raises:
        InputError: B11 no mask, B1 masks of several sizes, B7 a mask that contradicts its folder, or what
            ``decode_parts`` raises.
    """
    if normal is None:
        normal = category is not None and options.is_normal(category)
    if not masks:
        if normal or options.unlabelled == "sound":
            return NO_DEFECT
        raise refuse(
            name,
            "B11",
            f"no mask has the stem {PurePosixPath(name).stem!r}",
            "add the mask, list the folder in `normal`, say how masks are called with --mask-name, or, where "
            "photographs without mask are sound, set unlabelled=sound",
        )
    read = {
        mask: decode_parts(mask, tree.read(mask, MAX_BYTES), notes, options.strict, options.classes, several)
        for mask in masks
    }
    sizes = {parts.size_hw for parts in read.values()}
    if len(sizes) > 1:
        raise refuse(name, "B1", f"its masks {', '.join(masks[:3])} are of {len(sizes)} sizes", "export them anew")
    notes.mask_value = next((parts.value for parts in read.values() if parts.value is not None), None)
    defective = any(mask_01.any() for parts in read.values() for mask_01 in parts.defects.values())
    if defective and normal:
        raise _contradiction(masks[0], str(category), True)
    told = category is not None and options.classes is None
    told = told and options.unlabelled != "sound"
    if not defective and not normal and told and all(parts.ignore is None for parts in read.values()):
        raise _contradiction(masks[0], str(category), False)
    empty = not defective and all(parts.ignore is None for parts in read.values())
    if empty and not normal:
        notes.repair("B7", "an all-zero mask: the photograph counts as sound")
    return Label(sizes.pop(), empty, lambda size_hw: _draw(read, category or UNNAMED, kinds or {}), masks[0])


def _draw(read: dict[str, MaskParts], folder: str, kinds: Mapping[str, str]) -> Iterator[Instance]:
    for mask, parts in read.items():
        category = kinds.get(mask, folder)
        for name, mask_01 in parts.defects.items():
            for part, box in boxed_components(mask, mask_01):
                yield Instance(name or category, part, origin={"mask": mask}, box=box)
        if parts.ignore is not None:
            yield Instance(EVERY, parts.ignore, 1, {"mask": mask})


def _contradiction(mask: str, category: str, normal: bool) -> InputError:
    if normal:
        return refuse(mask, "B7", f"marks a defect, but lies in the normal folder {category!r}", "move the photograph")
    return refuse(
        mask,
        "B7",
        f"is all zero, but lies in the defect folder {category!r}",
        "draw the defect, move the photograph to a normal folder, list this folder in `normal`, or, where all-zero "
        "masks mean sound, set unlabelled=sound",
    )


def write(dataset: Dataset, out: Path) -> dict[str, object]:
    """Write class maps: see the module's words."""
    names = dataset.category_names()
    if len(names) > 254:
        raise InputError(str(out), "FORMAT", f"{len(names)} categories do not fit into a mask picture", "use coco")
    value_of = {number: value for value, number in enumerate(sorted(names), start=1)}
    labels = dataset.by_image()
    taken: set[str] = set()
    files: dict[str, str] = {}
    overlap = 0
    for image in dataset.images:
        stem = _free_stem(image.file_name, taken)
        files[image.file_name] = copy_photo(dataset, image, out / "images", stem)
        values = np.zeros((image.height, image.width), np.uint8)
        items = sorted(labels.get(image.id, []), key=lambda item: (not item.iscrowd, -item.area))
        for item in items:
            mask = item.mask() > 0
            overlap += int((values[mask] > 0).sum()) if not item.iscrowd else 0
            values[mask] = 255 if item.iscrowd else value_of[item.category_id]
        write_png(out / "masks" / f"{stem}.png", values)
    table = {0: GROUND, **{value_of[number]: names[number] for number in sorted(names)}, 255: IGNORE}
    write_text(out / "classes.yaml", yaml.safe_dump(table, allow_unicode=True, sort_keys=True))
    write_side_file(dataset, out, files)
    return {"pixels_of_two_instances": overlap}


def _free_stem(file_name: str, taken: set[str]) -> str:
    path = PurePosixPath(file_name)
    parts = [part if part.lower() not in MASK_FOLDERS else f"{part}-" for part in path.with_suffix("").parts]
    stem = base = "/".join(parts)
    number = 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{base}-{number}"
    taken.add(stem.casefold())
    return stem
