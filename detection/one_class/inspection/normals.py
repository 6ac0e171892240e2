"""The normals that a detector learns from: a folder of good parts, or the training split of an ingested data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import read_verified
from anomaly_gan.core.progress import track
from anomaly_gan.core.seeding import seed_for
from anomaly_gan.ingestion.formats.mask_png import pairs_of
from anomaly_gan.ingestion.formats.mvtec import objects_of
from anomaly_gan.ingestion.groups import read_grouping
from anomaly_gan.ingestion.ledger import Ledger, refuse
from anomaly_gan.ingestion.photographs import list_photographs
from anomaly_gan.ingestion.reading import ReadingConfig, odd_ones, resolved_colour
from anomaly_gan.ingestion.source_tree import SourceTree
from anomaly_gan.ingestion.splits import merge_duplicates

from .images import View


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

    ``counts`` (photographs,): how many of the squares are of each photograph, in order; one each but for tiles.
    ``reading``: how they were read. ``key``: hash of names, objects and bytes. ``grouped``: whether the objects were
    told. ``remarks``: for people.
    """

    squares_NCHW: np.ndarray
    files: list[str]
    groups: list[str]
    reading: ReadingConfig
    key: str
    grouped: bool
    counts: np.ndarray
    remarks: list[str] = field(default_factory=list)


class _Collector:
    """Squares one after the other; in the end all of them are gray, or all in colour.

    Of the first coloured ones both are kept: where there are so few that the set is read as gray, theirs are at hand.
    """

    def __init__(self, view: View, reading: ReadingConfig, channels: int | None, total: int) -> None:
        self._view, self._reading, self._channels, self._total = view, reading, channels, total
        self.squares: list[np.ndarray] = []
        self.files: list[str] = []
        self.groups: list[str] = []
        self._coloured: dict[int, np.ndarray | None] = {}
        self._key = hashlib.sha256()

    def take(self, file: str, group: str, pixels: np.ndarray, coloured: bool, mark: str) -> None:
        plain = pixels[..., 0] if pixels.ndim == 3 and not coloured else pixels
        if coloured:
            few = resolved_colour(self._reading.colour, len(self._coloured) + 1, self._total) == "gray"
            self._coloured[len(self.files)] = self._view.squares(plain, "L", file) if few else None
        self.squares.append(self._view.squares(np.ascontiguousarray(plain), file=file))
        self.files.append(file)
        self.groups.append(group)
        self._key.update(f"{file}\0{group}\0{mark}\n".encode())

    def done(self, grouped: bool, groups: list[str], remarks: list[str], reading: ReadingConfig) -> GoodParts:
        colour = resolved_colour(self._reading.colour, len(self._coloured), len(self.files))
        kinds: dict[bool, list[str]] = {True: [], False: []}
        for at, file in enumerate(self.files):
            kinds[at in self._coloured].append(file)
        if odd := odd_ones(self._reading.colour, colour, kinds[True], kinds[False]):
            remarks = [f"A10: {odd[1]}", *remarks]
        for at, square in self._coloured.items():
            if colour == "gray" and square is not None:
                self.squares[at] = square
        channels = self._channels or (1 if colour == "gray" else 3)
        wide = [np.repeat(one, 3, axis=1) if one.shape[1] < channels else one for one in self.squares]
        resolved = reading.model_copy(update={"colour": colour})
        counts = np.array([len(one) for one in wide])
        return GoodParts(
            np.concatenate(wide), self.files, groups, resolved, self._key.hexdigest(), grouped, counts, remarks
        )


def gather(
    data: Path,
    view: View,
    grouping: Grouping,
    ledger: Ledger,
    told: ReadingConfig = ReadingConfig(),
    learnt: ReadingConfig | None = None,
) -> GoodParts:
    """All normals under ``data``; refused photographs stand in ``ledger``.

    A folder with ``annotations.json`` is a data set of this project: its training split's real photographs without
    any annotation, with their known objects, read as ``ingest`` read them.

    Args:
        data: folder of photographs, or a data set of this project.
        view: how the detector looks at photographs.
        grouping: which photographs show one object.
        ledger: takes what was refused.
        told: how photographs are read.
        learnt: how those that the detector has learned from were read; None: it learns now.

    Returns:
        Squares (N, C, S, S) uint8, their photographs' files and objects.

    Raises:
        InputError: nothing there, nothing usable, or a photograph without a row in the table of objects.
        ConfigError: objects told twice, or of a data set how it is read.
    """
    reading = told if learnt is None else told.over(learnt)
    channels = None if learnt is None else 1 if learnt.colour == "gray" else 3
    if not (data / "annotations.json").is_file():
        return _from_folder(data, view, reading, channels, grouping, ledger)
    if grouping.known():
        raise ConfigError(f"{data} is a data set that knows its objects: leave out --groups and --group-regex")
    if told.model_fields_set:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(told.model_fields_set))
        raise ConfigError(f"{data} is a data set: ingest has read it, so {names} is told to ingest")
    return _from_dataset(data, view, learnt, channels, ledger)


def _from_dataset(
    data: Path, view: View, learnt: ReadingConfig | None, channels: int | None, ledger: Ledger
) -> GoodParts:
    dataset = load_dataset(data)
    images = [image for image in dataset.split("train").normals() if image.source == "real"]
    if not images:
        raise InputError(
            str(data),
            "K5",
            "its training split has no photograph without defect",
            "ingest photographs of good parts too",
        )
    reading = ReadingConfig.of_dataset(dataset)
    gray = (learnt or reading).colour == "gray"
    collector = _Collector(view, ReadingConfig(colour="gray" if gray else "rgb"), channels, len(images))
    for image in track(images, "read"):  # ingest has accepted these: one that changed since stops the run (A13)
        pixels = read_verified(dataset.path_of(image), image.sha256, gray)
        collector.take(image.file_name, image.group_id, pixels, not gray, image.sha256)
    ledger.found += len(images)
    ledger.accepted += len(images)
    return collector.done(True, collector.groups, [], reading)


def _from_folder(
    data: Path,
    view: View,
    reading: ReadingConfig,
    channels: int | None,
    grouping: Grouping,
    ledger: Ledger,
) -> GoodParts:
    if grouping.table is not None and grouping.regex is not None:
        raise ConfigError("give --groups or --group-regex, not both")
    objects = read_grouping(grouping.table, grouping.column, grouping.regex, fold_needed=False)
    photographs = list_photographs(data, ledger, reading)
    refuse_defects(data, photographs.tree)
    collector = _Collector(view, reading, channels, len(photographs.names))
    fingerprints: list[str] = []
    for one in photographs.each(ledger, "read"):
        collector.take(one.file, objects.of(one.file).group, one.pixels, one.coloured, one.sha256)
        fingerprints.append(one.fingerprint())
    _need_some(ledger)
    groups, joins = merge_duplicates(collector.groups, fingerprints)
    remarks = ledger.warnings()
    remarks += [f"E1: {joins} photographs show the same pixels as another: counted as one object"] if joins else []
    if not grouping.known():
        remarks.append(
            "every photograph counts as an object of its own: where several show one part, tell with "
            "--group-regex or --groups, else the false-alarm rate promised is too certain"
        )
    return collector.done(grouping.known(), groups, remarks, photographs.reading)


def refuse_defects(data: Path, tree: SourceTree) -> None:
    """Stop where a folder is no folder of good parts: a published set with its defects, or masks among photographs.

    Raises:
        InputError: B16, with the first that shows it.
    """
    if objects_of(tree):
        remedy = f"give {data}/train/good, or run ingest first and give what it wrote"
        raise refuse(str(data), "B16", "holds test photographs and ground truth, not good parts alone", remedy)
    masks = [mask for found in pairs_of(tree).masks.values() for mask in found]
    if masks:
        remedy = "move masks and defects away, or run ingest first and give what it wrote"
        raise refuse(str(data), "B16", f"holds {len(masks)} masks by their names, first {masks[0]}", remedy)


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
