"""Industrial photographs for one-class detection: whole objects are on one side, calibration objects set apart.

The training side's normals are split once more by object: about three quarters to learn from, about a quarter
(``held_out``) that no detector ever learns from, whose scores place the threshold. Defects of the training side are
not read at all. Data sets: ``magnetic_tile`` (Huang et al. 2018), ``mvtec_screw`` (Bergmann et al. 2019) and ``rsdds``
(Gan et al. 2017, Type I cut to tiles).
"""

from __future__ import annotations

import csv
import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.resources import expand
from anomaly_gan.core.seeding import rng_for

from .standard_files import UNREADABLE

FOLDS = 4
HELD_OUT = 0.25
TILE_CATEGORIES = ("blowhole", "break", "crack", "fray", "uneven")
SCREW_CATEGORIES = ("manipulated_front", "scratch_head", "scratch_neck", "thread_side", "thread_top")
PLACES = {
    "magnetic_tile": (("magnetic_tile", "magnetic_tile_256.zip"), "free"),
    "mvtec_screw": (("mvtec_screw", "mvtec_screw.zip", "screw"), "train/good"),
    "rsdds": (("rsdds_tiles", "rsdds_tiles.zip"), "train/normal"),
}
"""Names under which a set may lie in the root, and the folder by which it is recognised."""
INDUSTRIAL = tuple(PLACES)


@dataclass(frozen=True)
class IndustrialSplit:
    """One fold. ``*_NCHW``: uint8 (N, 1, size, size); ``*_groups``: each photograph's object; ``test_labels`` (N,):
    0 for a normal, k + 1 for ``categories[k]``; ``test_masks`` (N, size, size) bool, all false for normals."""

    train_NCHW: np.ndarray
    held_out_NCHW: np.ndarray
    test_NCHW: np.ndarray
    test_labels: np.ndarray
    categories: tuple[str, ...]
    train_groups: list[str]
    held_out_groups: list[str]
    test_groups: list[str]
    test_names: list[str]
    test_masks: np.ndarray | None


@dataclass(frozen=True)
class Photograph:
    """``name`` in the source, its object ``group``, ``label`` (0: normal), and its mask's name where it has one."""

    name: str
    group: str
    label: int = 0
    mask: str | None = None


class Source:
    """The files of a data set, in a folder or a zip file, by their names relative to its top."""

    def __init__(self, place: Path, marker: str) -> None:
        self.place = place
        self._read: Callable[[str], bytes]
        if place.is_dir():
            self._read = lambda name: (place / name).read_bytes()
            names = [item.relative_to(place).as_posix() for item in place.rglob("*") if item.is_file()]
        else:
            try:
                archive = zipfile.ZipFile(place)
                names = _bounded(place, archive.infolist())
            except UNREADABLE as error:
                raise InputError(
                    str(place), "A12", f"is no whole zip file ({error})", "copy the data set anew"
                ) from error
            self._read = archive.read
        self.names = sorted(names)
        self._known = set(self.names)
        if not any(name.startswith(f"{marker}/") for name in self.names):
            raise InputError(str(place), "K5", f"has no photographs in {marker}/", "give the data set's own folder")

    def photographs(self, folder: str) -> list[str]:
        """Names of the photographs right in ``folder``, sorted; masks beside them (PNG next to JPEG) left out."""
        inside = [name for name in self.names if str(PurePosixPath(name).parent) == folder]
        jpegs = [name for name in inside if name.lower().endswith((".jpg", ".jpeg"))]
        return jpegs or [name for name in inside if name.lower().endswith((".png", ".bmp", ".tif", ".tiff"))]

    def has(self, name: str) -> bool:
        return name in self._known

    def pixels(self, name: str) -> np.ndarray:
        """(H, W) uint8.

        Raises:
            InputError: A12, it cannot be unpacked or does not decode.
        """
        try:
            content = self._read(name)
        except UNREADABLE as error:
            raise InputError(
                f"{self.place}/{name}", "A12", f"cannot be unpacked ({error})", "copy the data set anew"
            ) from error
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
        if pixels is None:
            raise InputError(f"{self.place}/{name}", "A12", "does not decode as an image", "copy the data set anew")
        return pixels


MOST_MEMBERS, LARGEST_MEMBER, LARGEST_ARCHIVE, MOST_PACKED = 500_000, 2**28, 2**36, 200


def _bounded(place: Path, members: list[zipfile.ZipInfo]) -> list[str]:
    """Names of the regular files of an archive.

    Raises:
        InputError: S11 more files, larger ones, or tighter packed ones than photographs are.
    """
    files = [
        member
        for member in members
        if not member.is_dir() and stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
    ]
    worst = max(files, key=lambda member: member.file_size, default=None)
    if len(files) > MOST_MEMBERS or sum(member.file_size for member in files) > LARGEST_ARCHIVE:
        raise InputError(str(place), "S11", f"holds {len(files)} files, too much for a data set", "unpack it yourself")
    if worst is not None and worst.file_size > LARGEST_MEMBER:
        raise InputError(
            f"{place}/{worst.filename}", "S11", f"unpacks to {worst.file_size} bytes", "unpack it yourself"
        )
    for member in files:
        if member.file_size > 2**20 and member.file_size > MOST_PACKED * max(1, member.compress_size):
            raise InputError(
                f"{place}/{member.filename}", "S11", "is packed tighter than any photograph", "unpack it yourself"
            )
    return [member.filename for member in files]


def load_industrial(dataset: str, root: Path, size: int, fold: int = 0, shared: bool = False) -> IndustrialSplit:
    """Fold ``fold`` of a set under ``root`` (its folder, its zip file, or the folder they lie in), as squares.

    ``magnetic_tile``: test on the whole tiles of one of 4 folds. ``mvtec_screw``: good ones of MVTec's train and test
    pooled, because brightness alone gives MVTec's own split away, every fourth to test, and every photograph divided
    by the median of its border. ``rsdds``: the pack's own train and test (every fourth photograph), one fold.

    ``shared``, of magnetic tiles: the fold is a quarter of the sound photographs at random, and every defect, so that
    tiles of the test are learned from.

    Raises:
        ConfigError: an unknown set or fold.
        InputError: A24 nothing of that name under ``root``; K5 it has no normals; A12 a file is damaged.
    """
    if dataset not in PLACES:
        raise ConfigError(f"--dataset {dataset}: must be one of {', '.join(PLACES)}")
    folds = 1 if dataset == "rsdds" else FOLDS
    if not 0 <= fold < folds:
        raise ConfigError(f"fold {fold}: {dataset} has folds 0 to {folds - 1}")
    source = open_source(dataset, root)
    listing = {"magnetic_tile": _magnetic_tile, "mvtec_screw": _mvtec_screw, "rsdds": _rsdds}[dataset]
    train, test, categories = _shared_tiles(source, fold) if shared else listing(source, fold)
    kept, held_out = set_apart(train, dataset, fold)
    flatten = dataset == "mvtec_screw"
    return IndustrialSplit(
        _squares(source, kept, size, flatten),
        _squares(source, held_out, size, flatten),
        _squares(source, test, size, flatten),
        np.array([item.label for item in test], np.int64),
        categories,
        [item.group for item in kept],
        [item.group for item in held_out],
        [item.group for item in test],
        [item.name for item in test],
        _masks(source, test, size),
    )


def open_source(dataset: str, root: Path) -> Source:
    """The set's files, wherever under ``root`` they lie.

    Raises:
        InputError: A24 nothing of that name; K5 no normals in it; A12 a damaged zip file.
    """
    names, marker = PLACES[dataset]
    for place in (root, *(root / name for name in names)):
        if place.is_file() or (place / marker).is_dir():
            return Source(place, marker)
    raise InputError(str(root), "A24", f"holds no {' or '.join(names)}", f"give the folder of {dataset} as data.root")


def set_apart(normals: Sequence[Photograph], dataset: str, fold: int) -> tuple[list[Photograph], list[Photograph]]:
    """(to learn from, to calibrate on): whole objects in an order of chance, until a quarter of the photographs.

    Raises:
        InputError: K5, fewer than two objects.
    """
    groups = sorted({item.group for item in normals})
    if len(groups) < 2:
        raise InputError(
            dataset,
            "K5",
            f"{len(groups)} objects without defect are too few to set some apart",
            "give photographs of at least 2 objects",
        )
    sizes = {group: sum(item.group == group for item in normals) for group in groups}
    chosen: set[str] = set()
    for index in rng_for(0, dataset, fold, "held_out").permutation(len(groups)):
        if chosen and sum(sizes[group] for group in chosen) + sizes[groups[index]] / 2 > HELD_OUT * len(normals):
            break
        chosen.add(groups[index])
    return ([item for item in normals if item.group not in chosen], [item for item in normals if item.group in chosen])


Listing = tuple[list[Photograph], list[Photograph], tuple[str, ...]]


def _magnetic_tile(source: Source, fold: int) -> Listing:
    with expand("embedded:magnetic_tile_groups.csv").open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if source.has(f"{row['category']}/{row['file']}")]
    train: list[Photograph] = []
    test: list[Photograph] = []
    for row in rows:
        name = f"{row['category']}/{row['file']}"
        if row["category"] == "free":
            (test if int(row["fold"]) == fold else train).append(Photograph(name, row["tile"]))
        elif int(row["fold"]) == fold:
            label = TILE_CATEGORIES.index(row["category"]) + 1
            test.append(Photograph(name, row["tile"], label, str(PurePosixPath(name).with_suffix(".png"))))
    return train, test, TILE_CATEGORIES


def _shared_tiles(source: Source, fold: int) -> Listing:
    every = [item for number in range(FOLDS) for item in _magnetic_tile(source, number)[1]]
    sound = [item for item in every if not item.label]
    chosen = set(rng_for(0, "magnetic_tile", "photographs").permutation(len(sound))[fold::FOLDS].tolist())
    test = [item for number, item in enumerate(sound) if number in chosen] + [item for item in every if item.label]
    return [item for number, item in enumerate(sound) if number not in chosen], test, TILE_CATEGORIES


def _every_fourth(names: Sequence[str], fold: int) -> tuple[list[str], list[str]]:
    """(others, every fourth of the sorted names); fold 0 takes the 4th, 8th, ... as the pack's splits.json does."""
    ordered = sorted(names)
    chosen = ordered[FOLDS - 1 - fold :: FOLDS]
    return [name for name in ordered if name not in set(chosen)], chosen


def _mvtec_screw(source: Source, fold: int) -> Listing:
    good = source.photographs("train/good") + source.photographs("test/good")
    learn, rest = _every_fourth(good, fold)
    test = [Photograph(name, name) for name in rest]
    for label, category in enumerate(SCREW_CATEGORIES, 1):
        for name in _every_fourth(source.photographs(f"test/{category}"), fold)[1]:
            test.append(Photograph(name, name, label, f"ground_truth/{category}/{PurePosixPath(name).stem}_mask.png"))
    return [Photograph(name, name) for name in learn], test, SCREW_CATEGORIES


def _rsdds(source: Source, fold: int) -> Listing:
    def rail(name: str) -> str:
        found = re.search(r"rail_\d+", name)
        return found[0] if found else name

    train = [Photograph(name, rail(name)) for name in source.photographs("train/normal")]
    test = [Photograph(name, rail(name)) for name in source.photographs("test/normal")]
    test += [
        Photograph(name, rail(name), 1, f"test/defect_mask/{PurePosixPath(name).stem}.png")
        for name in source.photographs("test/defect")
    ]
    return train, test, ("defect",)


def _squares(source: Source, items: Sequence[Photograph], size: int, flatten: bool) -> np.ndarray:
    from ..inspection.images import to_square

    if not items:
        return np.zeros((0, 1, size, size), np.uint8)
    return np.stack([to_square(source.pixels(item.name), size, flatten) for item in items])


def _masks(source: Source, items: Sequence[Photograph], size: int) -> np.ndarray:
    """(N, size, size) bool: a pixel is defect where at least half of its area is (the masks' edges are softened).

    Raises:
        InputError: B11, a defect's mask is not there; read as empty it would count its defect as sound.
    """
    masks = np.zeros((len(items), size, size), bool)
    for mask, item in zip(masks, items, strict=True):
        if item.mask is not None:
            if not source.has(item.mask):
                raise InputError(
                    f"{source.place}/{item.name}", "B11", f"its mask {item.mask} is missing", "copy the data set anew"
                )
            full = (source.pixels(item.mask) >= 128).astype(np.float32)
            mask[:] = cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA) >= 0.5
    return masks
