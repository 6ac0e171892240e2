"""Photographs with mask pictures: the category is the first folder's name.

Layouts, also mixed in one source:

* beside: ``<category>/<stem>.jpg`` with ``<category>/<stem>.png`` (a PNG beside a photograph of the same stem that
  is no PNG is its mask), or ``<stem>_mask.png`` beside ``<stem>.<any>``;
* parallel: a folder named ``mask(s)``, ``label(s)``, ``gt`` or ``ground_truth`` anywhere in the path, or
  ``<folder>_mask(s)`` for ``<folder>``; in it, ``<stem>.png`` or ``<stem>_mask.png`` belongs to ``<stem>.<any>`` in the
  folder without that name, or in ``image(s)`` in its place.

Pairs are made by the exact stem (B12), never by order. A folder whose name is in ``normal`` holds photographs
without defect: no mask or an all-zero mask is right there, anything else is refused (B7). Folders named ``image(s)``,
``train``, ``test`` or ``val`` are no categories. Photographs that lie in no folder have the category ``defect``.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import PurePosixPath

from ...core.errors import InputError
from ..image_files import MAX_BYTES
from ..ledger import Ledger, Notes, refuse
from ..mask_files import components, decode_mask
from ..source_tree import PHOTO_SUFFIXES, SourceTree, suffix_of
from .base import NO_DEFECT, Instance, Item, Label, ReadOptions

MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels", "gt", "ground_truth", "groundtruth"})
IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs"})
SPLIT_FOLDERS = frozenset({"train", "test", "val", "valid", "validation"})
MASK_ENDINGS = ("_mask", "_masks")
Key = tuple[tuple[str, ...], str]


def read_items(tree: SourceTree, options: ReadOptions, ledger: Ledger) -> list[Item]:
    """One item per photograph; masks without a photograph are refused (B11)."""
    photos, masks = split_photos_and_masks(tree)
    masks_of: dict[Key, list[str]] = defaultdict(list)
    for name in masks:
        masks_of[_mask_key(name)].append(name)
    photos_of: dict[Key, list[str]] = defaultdict(list)
    for name in photos:
        photos_of[_photo_key(name)].append(name)
    for name in tree.files:
        if suffix_of(name) not in PHOTO_SUFFIXES:
            ledger.ignore("not a photograph", name)
    for key, names in sorted(masks_of.items()):
        if key in photos_of:
            for name in names:
                ledger.ignore("mask of a photograph", name)
            continue
        for name in names:
            ledger.found += 1
            ledger.reject(
                name,
                refuse(
                    name,
                    "B11",
                    "no photograph has this mask's stem",
                    f"expected {'/'.join((*key[0], key[1]))}.jpg, .png, .bmp or .tif",
                ),
            )
    ledger.found += len(photos)
    return [
        _item(tree, options, name, masks_of.get(_photo_key(name), []), photos_of[_photo_key(name)]) for name in photos
    ]


def split_photos_and_masks(tree: SourceTree) -> tuple[list[str], list[str]]:
    """Which pictures are photographs and which are masks, by the rules above."""
    names = tree.photos()
    stems = {str(PurePosixPath(name).with_suffix("")) for name in names if suffix_of(name) != ".png"}
    masks = {
        name
        for name in names
        if _is_mask(name) or (suffix_of(name) == ".png" and str(PurePosixPath(name).with_suffix("")) in stems)
    }
    return [name for name in names if name not in masks], sorted(masks)


def _is_mask(name: str) -> bool:
    path = PurePosixPath(name)
    return path.stem.lower().endswith("_mask") or any(
        part.lower() in MASK_FOLDERS or part.lower().endswith(MASK_ENDINGS) for part in path.parts[:-1]
    )


def _photo_key(name: str) -> Key:
    path = PurePosixPath(name)
    return tuple(part for part in path.parts[:-1] if part.lower() not in IMAGE_FOLDERS), path.stem


def _mask_key(name: str) -> Key:
    path = PurePosixPath(name)
    folders = []
    for part in path.parts[:-1]:
        lower = part.lower()
        if lower in MASK_FOLDERS or lower in IMAGE_FOLDERS:
            continue
        ending = next((ending for ending in MASK_ENDINGS if lower.endswith(ending)), "")
        folders.append(part[: len(part) - len(ending)])
    stem = path.stem[:-5] if path.stem.lower().endswith("_mask") else path.stem
    return tuple(folder for folder in folders if folder.lower() not in IMAGE_FOLDERS), stem


def category_of(name: str) -> str:
    """The first folder that is neither ``images`` nor a split; ``defect`` where there is none."""
    known = IMAGE_FOLDERS | SPLIT_FOLDERS
    return next((part for part in PurePosixPath(name).parts[:-1] if part.lower() not in known), "defect")


def _item(tree: SourceTree, options: ReadOptions, name: str, masks: list[str], rivals: list[str]) -> Item:
    category = category_of(name)
    normal = options.is_normal(category)
    read = partial(read_mask_label, tree, options, name, masks, category, normal)
    if masks and len(rivals) > 1:
        read = partial(_refuse_rivals, name, masks[0], rivals)
    return Item(name, read, () if normal else (category,))


def _refuse_rivals(name: str, mask: str, rivals: list[str], notes: Notes) -> Label:
    raise refuse(name, "B11", f"the mask {mask} fits {len(rivals)} photographs: {', '.join(rivals[:3])}", "rename them")


def read_mask_label(
    tree: SourceTree, options: ReadOptions, name: str, masks: list[str], category: str, normal: bool, notes: Notes
) -> Label:
    """The label in the mask picture(s) of a photograph.

    Raises:
        InputError: B11 no mask or several, B7 a mask that contradicts its folder, or what ``decode_mask`` raises.
    """
    if not masks:
        if normal:
            return NO_DEFECT
        raise refuse(
            name,
            "B11",
            f"no mask has the stem {PurePosixPath(name).stem!r}",
            "add the mask, or list the folder in `normal`",
        )
    if len(masks) > 1:
        raise refuse(name, "B11", f"has {len(masks)} masks: {', '.join(masks[:3])}", "keep one")
    mask_01 = decode_mask(masks[0], tree.read(masks[0], MAX_BYTES), notes, options.strict)
    if mask_01.any() == normal:
        raise _contradiction(masks[0], category, normal)
    return Label(
        mask_01.shape,
        normal,
        lambda size_hw: (Instance(category, part, origin={"mask": masks[0]}) for part in components(masks[0], mask_01)),
        masks[0],
    )


def _contradiction(mask: str, category: str, normal: bool) -> InputError:
    if normal:
        return refuse(mask, "B7", f"marks a defect, but lies in the normal folder {category!r}", "move the photograph")
    return refuse(
        mask,
        "B7",
        f"is all zero, but lies in the defect folder {category!r}",
        "draw the defect, or move the photograph to a normal folder",
    )
