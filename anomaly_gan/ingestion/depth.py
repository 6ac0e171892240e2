"""The range that a set of deep photographs uses: cameras of 10, 12 or 14 bits store them in files of 16.

The least number of bits that holds the brightest pixel of the whole set, at least 8; one photograph alone would give
every picture another brightness. Headers tell which files are deep: those of 8 bits are not decoded for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..core.errors import InputError
from .guarded import Answer, guarded
from .image_files import BAD_CONTENT, deep_samples, open_image
from .ledger import Notes
from .png_structure import SIGNATURE

HEAD = 64
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
OTHERS = (b"P5", b"P6", b"P2", b"P3", b"\x01\xda", b"\0\0\0\x0cjP")
"""First bytes of further contents that can hold more than 8 bits: PNM, SGI, JPEG 2000."""


@dataclass(frozen=True)
class Depth:
    """``bits`` the photographs are scaled from; ``brightest`` sample of the ``files`` deep ones (0 of none)."""

    bits: int
    brightest: int = 0
    files: int = 0


def find_depth(
    names: Iterable[str], head: Callable[[str], bytes], read: Callable[[str], bytes], declared: int | None = None
) -> Depth:
    """The depth of the photographs ``names``; ``head`` gives their first 64 bytes, ``read`` all of them.

    ``declared``: what the user said; nothing is then looked at. Photographs that do not decode count for nothing
    here: they are refused when their turn comes.
    """
    if declared is not None:
        return Depth(declared)
    brightest = files = 0
    for name in names:
        try:
            if not may_be_deep(head(name)):
                continue
            found = _brightest(name, read(name))
        except (InputError, *BAD_CONTENT):
            continue
        if found is not None:
            files += 1
            brightest = max(brightest, found)
    return Depth(min(16, max(8, brightest.bit_length())) if files else 16, brightest, files)


def _brightest(name: str, content: bytes) -> int | None:
    """The brightest sample of a photograph of more than 8 bits; None of any other."""
    brightest: int | None = guarded(name, content, brightest_told)[0]["brightest"]
    return brightest


def brightest_told(name: str, content: bytes) -> Answer:
    """What :func:`_brightest` finds, for another process."""
    try:
        image, _ = open_image(name, content, Notes())
        samples = deep_samples(image, content) if image.mode != "F" else None
    except BAD_CONTENT:
        samples = None
    return {"brightest": None if samples is None else int(samples.max())}, []


def may_be_deep(head: bytes) -> bool:
    """Whether the first 64 bytes leave it open that samples have more than 8 bits."""
    if head.startswith(SIGNATURE):
        return len(head) > 24 and head[24] == 16
    return head.startswith((*TIFF, *OTHERS))
