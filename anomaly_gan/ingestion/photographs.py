"""Photographs of a user's folder, decoded one after the other; what cannot be used is refused by name and counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..core.files import sha256_bytes, sha256_file
from ..core.images import is_gray, to_mode
from ..core.progress import track
from .depth import find_depth
from .image_files import MAX_BYTES, decode_photo, orient
from .ledger import Ledger, Notes, refuse
from .orientation import SWAPPING
from .reading import ReadingConfig
from .source_tree import MAGIC, PHOTO_SUFFIXES, SourceTree, ignore_others, list_tree, suffix_of


@dataclass(frozen=True)
class Photograph:
    """``pixels`` uint8 (H, W) or (H, W, 3) as a viewer shows them; ``content``: the file's bytes; ``converted``: these
    are not the pixels that the bytes hold (turned by EXIF, more than 8 bits, a palette ...); ``coloured``: the file
    shows colour, read as gray or not; ``orientation``: 1 to 8, by EXIF."""

    file: str
    pixels: np.ndarray
    content: bytes
    converted: bool
    coloured: bool
    orientation: int

    @property
    def raw_hw(self) -> tuple[int, int]:
        """Height and width of the stored pixels, before EXIF turned them."""
        height, width = self.pixels.shape[:2]
        return (width, height) if self.orientation in SWAPPING else (height, width)

    @property
    def sha256(self) -> str:
        return sha256_bytes(self.content)

    def fingerprint(self) -> str:
        """Equal where the pixels are equal, whatever the file format."""
        plain = self.pixels[..., 0] if self.pixels.ndim == 3 and not self.coloured else self.pixels
        return sha256_bytes(str(plain.shape).encode() + np.ascontiguousarray(plain).tobytes())


@dataclass(frozen=True)
class Photographs:
    """The photographs ``names`` of a folder, and how they are read."""

    tree: SourceTree
    names: list[str]
    reading: ReadingConfig

    def read(self, name: str, notes: Notes) -> Photograph:
        """One of them.

        Raises:
            InputError: it cannot be read (A21, A24) or decoded (A6 to A19, A26).
        """
        return decoded(name, self.tree.read(name, MAX_BYTES), notes, self.reading)

    def each(self, ledger: Ledger, label: str) -> Iterator[Photograph]:
        """Those that can be used, one in memory at a time; the others are refused in the ledger."""
        for name in track(self.names, label):
            notes = Notes()
            try:
                photograph = self.read(name, notes)
            except InputError as error:
                ledger.reject(name, error)
                continue
            ledger.accept(notes, name)
            yield photograph

    def content_hash(self) -> str:
        """Hash of the bytes of all; one that cannot be read stands for itself."""
        digest = hashlib.sha256()
        for name in self.names:
            try:
                digest.update(sha256_file(self.tree.path(name)).encode())
            except OSError:
                digest.update(b"-")
        return digest.hexdigest()


def decoded(name: str, content: bytes, notes: Notes, reading: ReadingConfig) -> Photograph:
    """The photograph of the bytes ``content``, the way a viewer shows it, in one channel where all are read as gray.

    Raises:
        InputError: A6 to A19, A26 (``ingestion.image_files``).
    """
    picture = decode_photo(name, content, notes, reading.bits, reading.min_side)
    pixels = orient(picture.pixels, picture.orientation)
    if picture.orientation != 1:
        notes.repair("A1", f"turned by EXIF orientation {picture.orientation}")
    shown = to_mode(pixels, "L") if reading.colour == "gray" else pixels
    converted = picture.converted or picture.orientation != 1
    return Photograph(name, shown, content, converted, not is_gray(pixels), picture.orientation)


def list_photographs(data: Path, ledger: Ledger, reading: ReadingConfig = ReadingConfig()) -> Photographs:
    """The photographs in the folder ``data`` at any depth, or that one; each is found in the ledger.

    Their depth is found over them where ``reading`` does not tell it.

    Raises:
        InputError: no such folder, no photograph in it, A20 a single file of another kind, A22 twin names.
    """
    if data.is_file():
        tree = SourceTree(data.parent.resolve(), [data.name])
        if suffix_of(data.name) not in PHOTO_SUFFIXES and not MAGIC.match(tree.head(data.name)):
            raise refuse(str(data), "A20", "is not a photograph that is read", "convert it to PNG")
        tree = replace(tree, pictures=frozenset([data.name]))
    else:
        tree = list_tree(data, ledger)
    photos = tree.photos()
    ignore_others(tree, ledger)
    ledger.found += len(photos)
    if ledger.found == 0:
        raise InputError(str(data), "MISSING", "holds no photographs", "check the path")
    depth = find_depth(photos, tree.head, tree.read_photo, reading.bits)
    if depth.files:
        reading = reading.model_copy(update={"bits": depth.bits})
    return Photographs(tree, photos, reading)


def too_many_refused(ledger: Ledger, max_bad: float) -> str | None:
    """Why a run should stop here: nothing usable, or more refused than the share ``max_bad`` of those found."""
    bad = ledger.rejected
    if bad and (ledger.accepted == 0 or len(bad) > max_bad * ledger.found):
        codes = ", ".join(f"{code} {count}" for code, count in ledger.counts()["rejected"].items())
        return f"{len(bad)} of {ledger.found} photographs are refused ({codes}); the first: {bad[0]['message']}"
    return None
