"""The normals that a detector learns from: a folder of good parts, or the training split of an ingested data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import read_verified
from anomaly_gan.core.progress import track
from anomaly_gan.core.seeding import seed_for
from anomaly_gan.ingestion.groups import read_grouping
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.splits import merge_duplicates

from .images import to_mode, to_square
from .photographs import MIN_SIDE, Photograph, list_photographs, read_photographs, refuse_defects

Mode = Literal["L", "RGB"]


@dataclass(frozen=True)
class Grouping:
    """How the object in a photograph is told: a CSV ``table`` with the columns ``file`` and ``column``, or an
    expression whose group 1 (or ``group``) names it; with neither, every photograph is an object of its own."""

    table: Path | None = None
    column: str = "group"
    regex: str | None = None

    def known(self) -> bool:
        return self.table is not None or self.regex is not None


@dataclass(frozen=True)
class GoodParts:
    """``squares_NCHW`` uint8 (N, C, size, size) of the photographs ``files``, which show the objects ``groups``.

    ``key``: hash of names, objects and bytes. ``grouped``: whether the objects were told. ``remarks``: for people.
    """

    squares_NCHW: np.ndarray
    files: list[str]
    groups: list[str]
    mode: Mode
    key: str
    grouped: bool
    remarks: list[str] = field(default_factory=list)
    bits: int | None = None
    """What photographs of more than 8 bits were scaled from; None where there were none."""


class _Collector:
    """Squares one after the other; read as ``mode``, or gray where all turn out to be gray."""

    def __init__(self, square: Callable[[np.ndarray], np.ndarray], mode: Mode | None) -> None:
        self._square, self._mode = square, mode
        self.squares: list[np.ndarray] = []
        self.files: list[str] = []
        self.groups: list[str] = []
        self.grays = 0
        self._key = hashlib.sha256()

    def take(self, file: str, group: str, pixels: np.ndarray, gray: bool, mark: str) -> None:
        plain = pixels[..., 0] if gray and pixels.ndim == 3 else pixels
        if self._mode is not None:
            plain = to_mode(plain, self._mode)
        self.squares.append(self._square(np.ascontiguousarray(plain)))
        self.files.append(file)
        self.groups.append(group)
        self.grays += gray
        self._key.update(f"{file}\0{group}\0{mark}\n".encode())

    def done(self, grouped: bool, groups: list[str], remarks: list[str]) -> GoodParts:
        mode: Mode = self._mode or ("L" if self.grays == len(self.squares) else "RGB")
        others = self.grays if mode == "RGB" else len(self.squares) - self.grays
        if others and (mode == "L" or others < len(self.squares)):
            remarks = [
                *remarks,
                f"A10: {others} of {len(self.squares)} photographs are "
                f"{'gray' if mode == 'RGB' else 'in colour'}, all are read as {mode}",
            ]
        wide = [
            np.repeat(square, 3, axis=0) if mode == "RGB" and len(square) == 1 else square for square in self.squares
        ]
        return GoodParts(np.stack(wide), self.files, groups, mode, self._key.hexdigest(), grouped, remarks)


def gather(
    data: Path,
    size: int,
    flatten: bool,
    grouping: Grouping,
    ledger: Ledger,
    min_side: int = MIN_SIDE,
    mode: Mode | None = None,
    bits: int | None = None,
) -> GoodParts:
    """All normals under ``data``; refused photographs stand in ``ledger``. ``mode`` None: gray where all are gray.

    A folder with ``annotations.json`` is a data set of this project: its training split's real photographs without
    any annotation, with their known objects.

    Args:
        data: folder of photographs, or a data set of this project.
        size: side in pixels of the detector's square.
        flatten: divide every photograph by its border's brightness.
        grouping: which photographs show one object.
        ledger: takes what was refused.
        min_side: smaller photographs, in pixels, are refused (A19).
        mode: ``L`` or ``RGB``; None: gray where all are gray.
        bits: what photographs of more than 8 bits are scaled from; None: found over these.

    Returns:
        Squares (N, C, S, S) uint8, their files and objects.

    Raises:
        InputError: nothing there, nothing usable, or a photograph without a row in the table of objects.
        ConfigError: objects told twice.
    """
    if (data / "annotations.json").is_file():
        if grouping.known():
            raise ConfigError(f"{data} is a data set that knows its objects: leave out --groups and --group-regex")
        return _from_dataset(data, _Collector(lambda pixels: to_square(pixels, size, flatten), mode), ledger)
    return _from_folder(
        data, _Collector(lambda pixels: to_square(pixels, size, flatten), mode), grouping, ledger, min_side, bits
    )


def _from_dataset(data: Path, collector: _Collector, ledger: Ledger) -> GoodParts:
    dataset = load_dataset(data)
    images = [image for image in dataset.split("train").normals() if image.source == "real"]
    if not images:
        raise InputError(
            str(data),
            "K5",
            "its training split has no photograph without defect",
            "ingest photographs of good parts too",
        )
    gray = dataset.info.get("mode") == "L"
    for image in track(images, "read"):  # ingest has accepted these: one that changed since stops the run (A13)
        pixels = read_verified(dataset.path_of(image), image.sha256, gray)
        collector.take(image.file_name, image.group_id, pixels, gray, image.sha256)
    ledger.found += len(images)
    ledger.accepted += len(images)
    return replace(collector.done(True, collector.groups, []), bits=dataset.info.get("bits"))


def _from_folder(
    data: Path, collector: _Collector, grouping: Grouping, ledger: Ledger, min_side: int, bits: int | None
) -> GoodParts:
    if grouping.table is not None and grouping.regex is not None:
        raise ConfigError("give --groups or --group-regex, not both")
    objects = read_grouping(grouping.table, grouping.column, grouping.regex, fold_needed=False)
    tree, names = list_photographs(data, ledger, bits)
    refuse_defects(data, tree)
    fingerprints: list[str] = []
    for photograph in read_photographs(tree, names, ledger, "read", min_side):
        _take(collector, photograph, objects.of(photograph.file).group)
        fingerprints.append(photograph.fingerprint())
    _need_some(ledger)
    groups, joins = merge_duplicates(collector.groups, fingerprints)
    remarks = [f"E1: {joins} photographs show the same pixels as another: counted as one object"] if joins else []
    if not grouping.known():
        remarks.append(
            "every photograph counts as an object of its own: where several show one part, tell with "
            "--group-regex or --groups, else the false-alarm rate promised is too certain"
        )
    return replace(collector.done(grouping.known(), groups, remarks), bits=tree.bits)


def _take(collector: _Collector, photograph: Photograph, group: str) -> None:
    collector.take(photograph.file, group, photograph.pixels, photograph.gray, photograph.sha256)


def _need_some(ledger: Ledger) -> None:
    if ledger.accepted == 0:
        raise InputError(
            "one-class",
            "MAX-BAD",
            f"none of {ledger.found} photographs can be used; the first: {ledger.rejected[0]['message']}",
            "give PNG, JPEG, BMP or TIFF photographs",
        )


def hold_out(groups: Sequence[str], share: float, seed: int) -> np.ndarray:
    """(N,) bool: which photographs are held out for calibration, whole objects, near ``share`` of the photographs.

    Raises:
        ConfigError: ``share`` is no share. InputError: E7, fewer than two objects.
    """
    if not 0 < share < 1:
        raise ConfigError(f"--held-out {share}: must lie between 0 and 1, for example 0.25")
    names, member, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            "one-class",
            "E7",
            f"all {len(groups)} photographs show one object",
            "photograph several objects: one must be held out for the threshold",
        )
    order = sorted(range(len(names)), key=lambda place: (seed_for(seed, "held-out", names[place]), names[place]))
    wanted, taken, chosen = share * len(groups), 0, []
    for place in order:
        if abs(taken + sizes[place] - wanted) < abs(taken - wanted):
            chosen.append(place)
            taken += int(sizes[place])
    if not chosen:  # every object is larger than twice the share
        chosen = [min(order, key=lambda place: sizes[place])]
    return np.isin(member, chosen)


def as_input(pixels: np.ndarray, mode: str, size: int, flatten: bool) -> np.ndarray:
    """(C, size, size) uint8: a new photograph as the detector of that mode looks at it."""
    return to_square(to_mode(pixels, mode), size, flatten)
