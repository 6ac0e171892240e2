"""Which picture is the mask of which photograph, told by names alone: folders, endings, beginnings, suffixes.

* folders: one named ``mask(s)``, ``label(s)``, ``gt``, ``ground_truth``, ``annotations`` ..., or ``<folder>_mask(s)``
  for ``<folder>``, anywhere in the path; inside it a mask bears its photograph's stem, with any known ending or
  beginning, or a number (one mask an instance: ``a_0.png``), or lies in a folder of that stem (MVTec LOCO), or in one
  of its class (``masks/crack/a.png``);
* beside the photograph: a known ending or beginning (``_mask``, ``-GT``, ``_label``, ``mask_`` ..., also before a
  number, or after the photograph's whole name as in ``1.jpg.png``), or the same stem with another suffix;
* else every way of calling masks is tried (``ingest.mask_patterns``) and the one taken that pairs each; several
  endings of one photograph (``1_crack.png``, ``1_dent.png``) each name a class;
* ``{stem}_label.bmp`` told by the user, or ``img_{stem}=mask_{stem}``: then this alone.

Pairs are made by the exact stem (B12), never by order.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from ..core.errors import ConfigError
from .mask_patterns import Way, find_ways

NAMES_OF_MASKS = (
    *("mask", "masks", "maske", "masken", "msk", "gt", "groundtruth", "ground_truth", "label", "labels", "lbl", "seg"),
    *("segmentation", "annotation", "anno", "ann", "target"),
)
WORDS = "|".join(NAMES_OF_MASKS)
MASK_FOLDERS = frozenset(NAMES_OF_MASKS) | {"annotations", "segmentations", "segmentationmasks", "annots", "truth"}
IMAGE_FOLDERS = frozenset(
    {
        *("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "jpegimages", "jpgs", "data"),
        *("rgb", "raw", "input", "bild", "bilder", "foto", "fotos"),
    }
)
OTHER_CHANNELS = frozenset({"xyz", "depth", "pointcloud", "point_cloud"})
"""Folders beside one of photographs that hold another channel of the same view, as in MVTec 3D-AD."""
SPLIT_FOLDERS = frozenset({"train", "test", "val", "valid", "validation", "training", "testing"})
ENDING = re.compile(rf"^(?P<stem>.+?)[_\-. ](?:{WORDS})[_\-. ]?\d{{0,4}}$", re.IGNORECASE | re.DOTALL)
BEGINNING = re.compile(
    rf"^(?:{WORDS})[_\-. ]?\d{{0,4}}[_\-. ](?P<stem>.+)$|^(?:mask|gt|label)(?P<number>\d+)$", re.IGNORECASE | re.DOTALL
)
FOLDER_ENDING = re.compile(rf"^(?P<stem>.+?)[_\-. ](?:{WORDS})$", re.IGNORECASE | re.DOTALL)
FOLDER_BEGINNING = re.compile(rf"^(?:{WORDS})[_\-. ](?P<stem>.+)$", re.IGNORECASE | re.DOTALL)
PHOTO_ENDING = re.compile(r"^(?P<stem>.+?)[_\-. ](?:image|img|images|imgs|photo|rgb)$", re.IGNORECASE | re.DOTALL)
WHOLE_NAME = re.compile(r"^(?P<stem>.+)\.(?:png|jpe?g|bmp|tiff?|jfif|webp)$", re.IGNORECASE | re.DOTALL)
NUMBERED = re.compile(r"^(?P<stem>.+)[_\-. ]\d{1,4}$", re.DOTALL)
MASK_SUFFIXES = {".png": 0, ".bmp": 1, ".gif": 2, ".tif": 3, ".tiff": 3}
"""Where two pictures have one stem, the mask is the one that is stored without loss; the least number first."""
LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})
Key = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Pairs:
    """``masks`` of every photograph (some have none), masks without a photograph with the place expected, and
    photographs that a mask fits equally (``rivals``). ``pattern``: the ending found by itself, for the screen.
    ``kinds``: the category that a mask's own folder or ending names (``masks/crack/1.png``, ``1_crack.png``).
    ``choices``: the ways in which masks may be called, where none of them is certain. ``photo_folders``: names of
    folders that hold photographs and are no categories."""

    masks: dict[str, list[str]]
    lost: dict[str, str] = field(default_factory=dict)
    rivals: dict[str, list[str]] = field(default_factory=dict)
    pattern: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    choices: list[Way] = field(default_factory=list)
    photo_folders: frozenset[str] = frozenset()


def pair_up(names: Iterable[str], told: str | None = None, looks_drawn: Callable[[str], bool] | None = None) -> Pairs:
    """Divide the pictures ``names`` into photographs and masks, and pair them.

    ``looks_drawn``: whether a picture looks like a mask; where names follow no known rule, it is asked.

    Raises:
        ConfigError: ``told`` has no ``{stem}``.
    """
    every = tuple(sorted(names))
    known = _paired(every, told)
    if told is not None or looks_drawn is None or any(known.masks.values()):
        return known
    found = find_ways(every, looks_drawn)
    whole = [way for way in found if not way.lost]
    if len(whole) == 1:
        return _of_ways(every, whole, {})
    of_class = {way.pattern.replace("{stem}", "").strip("_-. "): way for way in whole if "=" not in way.pattern}
    if len(of_class) == len(whole) > 1 and not any("/" in name for name in of_class):
        kinds = {mask: name for name, way in of_class.items() for mask in way.pairs}
        photos = {photo for way in whole for photo in way.pairs.values()}
        if len(kinds) == sum(len(way.pairs) for way in whole) and not photos & kinds.keys():
            return _of_ways(every, whole, kinds)
    return Pairs(known.masks, known.lost, choices=found)


def _of_ways(every: tuple[str, ...], ways: list[Way], kinds: dict[str, str]) -> Pairs:
    partner = {mask: photo for way in ways for mask, photo in way.pairs.items()}
    masks: dict[str, list[str]] = {name: [] for name in every if name not in partner}
    for mask, photo in sorted(partner.items()):
        masks[photo].append(mask)
    pattern = " and ".join(way.pattern for way in ways)
    folders = frozenset(folder for way in ways for folder in way.folders)
    return Pairs(masks, pattern=pattern, kinds=kinds, photo_folders=folders)


@lru_cache(maxsize=2)
def _paired(every: tuple[str, ...], told: str | None) -> Pairs:
    names = list(every)
    if told is not None:
        return _told(names, told)
    masks = _known(names)
    photos = [name for name in names if name not in masks]
    by_key: dict[Key, list[str]] = defaultdict(list)
    for name in photos:
        by_key[_photo_key(name)].append(name)
    pairs = Pairs({name: [] for name in photos})
    for mask, beside in sorted(masks.items()):
        fitting = [beside] if beside is not None else _fitting(mask, by_key)
        if not fitting and (of_class := _of_class(mask, by_key)) is not None:
            fitting, pairs.kinds[mask] = of_class
        for photo in fitting:
            pairs.masks[photo].append(mask)
        if len(fitting) > 1:
            pairs.rivals.update((photo, fitting) for photo in fitting)
        if not fitting:
            folders, stems = _mask_keys(mask)
            pairs.lost[mask] = f"{'/'.join((*folders, stems[0]))}.jpg, .png, .bmp or .tif"
    return pairs


def other_channels(names: Iterable[str]) -> frozenset[str]:
    """The pictures in a folder of another channel beside one of photographs (``crack/xyz``, ``crack/rgb``)."""
    folders = {name.rpartition("/")[0] for name in names}
    lower = {folder.casefold() for folder in folders}
    found = {
        folder
        for folder in folders
        if posixpath.basename(folder).lower() in OTHER_CHANNELS
        and any(f"{posixpath.dirname(folder)}/{other}".lstrip("/").casefold() in lower for other in IMAGE_FOLDERS)
    }
    return frozenset(name for name in names if name.rpartition("/")[0] in found)


def category_of(name: str) -> str | None:
    """The first folder that is neither images, masks nor a split; None where there is none."""
    return next(iter(_kinds_of(name.rpartition("/")[0])), None)


def categories_of(
    names: Iterable[str], is_normal: Callable[[str], bool], photo_folders: frozenset[str] = frozenset()
) -> dict[str, str | None]:
    """The folder that says what each photograph shows: one of sound parts wherever it stands in the path, else the
    first that is neither images, masks nor a split. Where all folders of sound parts stand one level down or more
    (``line1/good``), categories stand there too."""
    kinds = {name: _kinds_of(name.rpartition("/")[0]) for name in names}
    if photo_folders:
        kinds = {name: tuple(part for part in found if part not in photo_folders) for name, found in kinds.items()}
    sound = {name: at for name, found in kinds.items() for at, part in enumerate(found) if is_normal(part)}
    levels = set(sound.values())
    level = levels.pop() if len(levels) == 1 else 0
    return {
        name: found[sound[name]] if name in sound else found[min(level, len(found) - 1)] if found else None
        for name, found in kinds.items()
    }


@lru_cache(maxsize=4096)
def _kinds_of(folder: str) -> tuple[str, ...]:
    known = IMAGE_FOLDERS | SPLIT_FOLDERS | MASK_FOLDERS
    return tuple(part for part in folder.split("/") if part and part.lower() not in known and not _of_split(part))


def _of_split(part: str) -> bool:
    """``train_images`` and the like."""
    found = PHOTO_ENDING.match(part)
    return found is not None and found["stem"].lower() in SPLIT_FOLDERS


def _known(names: list[str]) -> dict[str, str | None]:
    """The masks among ``names`` by the rules for folders and for names beside; where known, with their photograph."""
    whole = set(names)
    stems: dict[str, list[str]] = defaultdict(list)
    for name in names:
        stems[_stem(name)].append(name)
    of_masks = {folder: _in_mask_folder(folder) for folder in {name.rpartition("/")[0] for name in names}}
    masks: dict[str, str | None] = {}
    for name in names:
        folder, slash, file = name.rpartition("/")
        if of_masks[folder]:
            masks[name] = None
            continue
        stem, above = posixpath.splitext(file)[0], folder + slash
        if WHOLE_NAME.match(stem) and above + stem in whole:
            masks[name] = above + stem
            continue
        partners = [
            other
            for own in _without_word(stem)
            for place in (above + own, f"{above}{own}_image")
            for other in stems.get(place, [])
            if other != name
        ]
        if partners or stem.lower().endswith(("_mask", "-mask")):
            masks[name] = None
    named = bool(masks)
    in_folders = {PurePosixPath(name).stem for name in masks if of_masks[name.rpartition("/")[0]]}
    for stem, twins in stems.items():
        photos = [name for name in twins if name not in masks]
        if posixpath.basename(stem) in in_folders:
            continue  # its mask lies in a folder of masks: these are two photographs of one name
        if len(photos) > 1 and any(PurePosixPath(name).suffix.lower() in LOSSY for name in photos):
            for name in photos:
                suffix = PurePosixPath(name).suffix.lower()
                if suffix == ".png" or (suffix in MASK_SUFFIXES and not named):
                    masks[name] = None
        # of two pictures of one name the lossless one is the mask: JPEG would blur its values
        elif len(photos) == 2 and len({PurePosixPath(name).suffix.lower() for name in photos}) == 2:
            ranks = {MASK_SUFFIXES.get(PurePosixPath(name).suffix.lower(), 9): name for name in photos}
            if min(ranks) == 0 and len(ranks) == 2:
                masks[ranks[0]] = None
    return masks


def _in_mask_folder(folder: str) -> bool:
    return any(_mask_folder(part) is not None for part in folder.split("/") if part)


def _of_class(mask: str, by_key: dict[Key, list[str]]) -> tuple[list[str], str] | None:
    """The photograph of a mask in a folder of its class: ``masks/crack/1.png`` of ``images/1.jpg``. ``masks_b`` is no
    class: a second annotator, as likely as not."""
    folders, stems = _mask_keys(mask)
    for stem in stems if folders and folders[-1] == PurePosixPath(mask).parent.name else ():
        if found := by_key.get((folders[:-1], stem)):
            return found, folders[-1]
    return None


def _told(names: list[str], told: str) -> Pairs:
    """By ``{stem}_label.bmp`` or ``masks/{stem}.png`` seen from the photograph, or by ``img/{stem}=drawn/m_{stem}``,
    which also says how photographs are called. Case, suffixes left out and Unicode forms do not matter."""
    photo_side, sign, mask_side = told.replace("\\", "/").partition("=")
    if not (sign and "{stem}" in photo_side and "{stem}" in mask_side):
        photo_side, mask_side = "{stem}", told.replace("\\", "/")
    if photo_side.count("{stem}") != 1 or mask_side.count("{stem}") != 1:
        raise ConfigError(
            f"--mask-name {told}: needs {{stem}} once, as in '{{stem}}_label.bmp' or 'masks/{{stem}}.png', or once on "
            "both sides, as in 'img_{stem}=mask_{stem}'"
        )
    of_photos, _, photo = photo_side.strip("/").rpartition("/")
    folders, _, file = mask_side.strip("/").rpartition("/")
    suffixed = PurePosixPath(file.replace("{stem}", "x")).suffix != ""
    lookup = {_folded(name if suffixed else _stem(name)): name for name in names}
    begin, end = _stem(photo).split("{stem}") if "{stem}" in _stem(photo) else ("", "")
    masks: dict[str, list[str]] = {}
    taken = set()
    for name in names:
        stem = PurePosixPath(name).stem
        masks[name] = []
        if len(stem) > len(begin + end) and _folded(stem).startswith(_folded(begin)) and stem.endswith(end):
            wanted = file.replace("{stem}", stem[len(begin) : len(stem) - len(end)])
            found = (lookup.get(_folded(place)) for place in _places(name, of_photos, folders, wanted))
            masks[name] = [mask for mask in found if mask is not None and mask != name][:1]
        taken.update(masks[name])
    return Pairs({name: found for name, found in masks.items() if name not in taken}, pattern=told)


def _places(name: str, of_photos: str, folders: str, wanted: str) -> list[str]:
    """Where the mask of a photograph may lie."""
    parts = PurePosixPath(name).parts[:-1]
    if of_photos:
        left = PurePosixPath(of_photos).parts
        return [
            str(PurePosixPath(*parts[:at], folders, *parts[at + len(left) :], wanted))
            for at in range(len(parts) - len(left), -1, -1)
            if parts[at : at + len(left)] == left
        ]
    places = [str(PurePosixPath(*parts, folders, wanted)), f"{folders}/{wanted}" if folders else wanted]
    if parts:
        places.append(str(PurePosixPath(*parts[:-1], folders, wanted)))
        places.append(str(PurePosixPath(folders, *parts[1:], wanted)))
    return places + [str(PurePosixPath(*parts[:at], folders, *parts[at:], wanted)) for at in range(1, len(parts))]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    return unicodedata.normalize("NFC", posixpath.splitext(name)[0])


def _without_word(stem: str) -> list[str]:
    """The stems a mask of that name may belong to, but its own: ``1_mask0`` -> ``1``."""
    found = [match["stem"] for match in (ENDING.match(stem), BEGINNING.match(stem)) if match and match["stem"]]
    match = BEGINNING.match(stem)
    if match and match["number"]:
        found.append(match["number"])
    whole = WHOLE_NAME.match(stem)
    return found + ([whole["stem"]] if whole else [])


def _mask_folder(part: str) -> str | None:
    """What is left of a folder's name without its word for masks (``""``: nothing); None where it has none."""
    if part.lower() in MASK_FOLDERS:
        return ""
    match = FOLDER_ENDING.match(part) or FOLDER_BEGINNING.match(part)
    return match["stem"] if match else None


def _photo_key(name: str) -> Key:
    folder, _, file = name.rpartition("/")
    return _plain(folder), _stem(file)


@lru_cache(maxsize=4096)
def _plain(folder: str) -> tuple[str, ...]:
    kept = []
    for part in unicodedata.normalize("NFC", folder).split("/"):
        left = _mask_folder(part)
        part = part if left is None else left
        match = PHOTO_ENDING.match(part)
        part = match["stem"] if match else part
        if part and part.lower() not in IMAGE_FOLDERS:
            kept.append(part)
    return tuple(kept)


def _mask_keys(name: str) -> tuple[tuple[str, ...], list[str]]:
    folder, _, file = name.rpartition("/")
    stem = _stem(file)
    return _plain(folder), [stem, *_without_word(stem)]


def _fitting(mask: str, by_key: dict[Key, list[str]]) -> list[str]:
    folders, stems = _mask_keys(mask)
    own_folder = mask.rpartition("/")[0]
    for stem in (*stems, *(f"{stem}_image" for stem in stems[1:])):
        found = by_key.get((folders, stem), [])
        near = [name for name in found if name.rpartition("/")[0] == own_folder]
        if near or found:
            return near if near and stem != stems[0] else found
    number = NUMBERED.match(stems[0])
    if number and (found := by_key.get((folders, number["stem"]), [])):
        return found  # one mask an instance: 000_0.png, 000_1.png
    if folders and (inner := by_key.get((folders[:-1], folders[-1]))):
        return inner  # a folder of masks for each photograph
    return []
