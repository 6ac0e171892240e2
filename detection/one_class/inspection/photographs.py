"""Photographs of a user's folder, decoded one after the other; what cannot be used is refused by name and counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file
from anomaly_gan.core.images import is_gray
from anomaly_gan.core.progress import track
from anomaly_gan.ingestion.depth import find_depth
from anomaly_gan.ingestion.formats.mask_png import pairs_of
from anomaly_gan.ingestion.formats.mvtec import objects_of
from anomaly_gan.ingestion.image_files import MAX_BYTES, decode_photo, orient
from anomaly_gan.ingestion.ledger import Ledger, Notes, refuse
from anomaly_gan.ingestion.source_tree import MAGIC, PHOTO_SUFFIXES, SourceTree, ignore_others, list_tree, suffix_of

MIN_SIDE = 16
"""Pixels; smaller photographs are refused (A19)."""


@dataclass(frozen=True)
class Photograph:
    """``pixels`` uint8 (H, W) or (H, W, 3) as a viewer shows them; ``content``: the file's bytes; ``converted``: these
    are not the pixels that the bytes hold (turned by EXIF, more than 8 bits, a palette ...)."""

    file: str
    pixels: np.ndarray
    content: bytes
    converted: bool

    @property
    def gray(self) -> bool:
        return is_gray(self.pixels)

    @property
    def sha256(self) -> str:
        return sha256_bytes(self.content)

    def fingerprint(self) -> str:
        """Equal where the pixels are equal, whatever the file format."""
        plain = self.pixels[..., 0] if self.gray and self.pixels.ndim == 3 else self.pixels
        return sha256_bytes(str(plain.shape).encode() + np.ascontiguousarray(plain).tobytes())


def list_photographs(data: Path, ledger: Ledger, bits: int | None = None) -> tuple[SourceTree, list[str]]:
    """The folder ``data`` (or one photograph) and the photographs in it at any depth; each is found in the ledger.

    ``bits``: what photographs of more than 8 bits are scaled from; None: found over these photographs.

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
    depth = find_depth(photos, tree.head, tree.read_photo, bits)
    return replace(tree, bits=depth.bits if depth.files or bits is not None else None), photos


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


def content_hash(tree: SourceTree, names: Iterable[str]) -> str:
    """Hash of the bytes of all photographs; one that cannot be read stands for itself."""
    digest = hashlib.sha256()
    for name in names:
        try:
            digest.update(sha256_file(tree.path(name)).encode())
        except OSError:
            digest.update(b"-")
    return digest.hexdigest()


def read_photograph(tree: SourceTree, name: str, notes: Notes, min_side: int = MIN_SIDE) -> Photograph:
    """One photograph.

    Raises:
        InputError: it cannot be read (A21, A24) or decoded (A7 to A19).
    """
    content = tree.read(name, MAX_BYTES)
    picture = decode_photo(name, content, notes, tree.bits, min_side)
    return Photograph(
        name, orient(picture.pixels, picture.orientation), content, picture.converted or picture.orientation != 1
    )


def read_photographs(
    tree: SourceTree, names: Iterable[str], ledger: Ledger, label: str, min_side: int = MIN_SIDE
) -> Iterator[Photograph]:
    """Those that can be used, one in memory at a time; the others are refused in the ledger."""
    for name in track(list(names), label):
        notes = Notes()
        try:
            photograph = read_photograph(tree, name, notes, min_side)
        except InputError as error:
            ledger.reject(name, error)
            continue
        ledger.accept(notes, name)
        yield photograph


def too_many_refused(ledger: Ledger, max_bad: float) -> str | None:
    """Why a run should stop here: nothing usable, or more refused than the share ``max_bad`` of those found."""
    bad = ledger.rejected
    if bad and (ledger.accepted == 0 or len(bad) > max_bad * ledger.found):
        codes = ", ".join(f"{code} {count}" for code, count in ledger.counts()["rejected"].items())
        return f"{len(bad)} of {ledger.found} photographs are refused ({codes}); the first: {bad[0]['message']}"
    return None
