"""What ingest must know of a photograph, found in the worker: its pixels themselves stay there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.files import sha256_bytes
from ..core.images import encode_png, is_gray
from .guarded import Answer, guarded
from .image_files import Picture, decode_here, orient
from .ledger import Notes

TOGETHER, TOGETHER_BYTES = 16, 4 * 2**20
"""Photographs, and bytes of them, after which a message is full."""


@dataclass(frozen=True)
class Seen:
    """A photograph of ``raw_hw`` before and ``size_hw`` after its EXIF ``orientation`` (1..8).

    ``fingerprint``: SHA-256 of the pixels as shown, of one channel where they are ``gray``. ``written``: PNG of these
    pixels; None where the stored bytes show them. ``picture``: where it was asked for.
    """

    raw_hw: tuple[int, int]
    size_hw: tuple[int, int]
    orientation: int
    gray: bool
    fingerprint: str
    written: bytes | None
    picture: Picture | None


def look_at(name: str, content: bytes, notes: Notes, bits: int | None, min_side: int, whole: bool = False) -> Seen:
    """Decode a photograph in the process that is kept for it.

    Args:
        name: the file, for messages.
        content: its bytes.
        notes: takes what was repaired and warned of.
        bits: what the camera used, of more than 8; None: what this picture needs.
        min_side: least side in pixels.
        whole: keep the pixels, too.

    Returns:
        What ingest must know of it.

    Raises: as :func:`decode_here`.
    """
    told, arrays = guarded(name, content, seen_told, bits=bits, min_side=min_side, whole=whole)
    notes.take(told)
    return _seen(told, arrays)


def _seen(told: dict[str, Any], arrays: Sequence[np.ndarray]) -> Seen:
    written = arrays[0].tobytes() if told["written"] else None
    picture = Picture(arrays[-1], told["orientation"], told["converted"]) if told["whole"] else None
    raw_hw, size_hw = ((hw[0], hw[1]) for hw in (told["raw"], told["size"]))
    return Seen(raw_hw, size_hw, told["orientation"], told["gray"], told["fingerprint"], written, picture)


def seen_told(name: str, content: bytes, bits: int | None, min_side: int, whole: bool) -> Answer:
    """What :func:`look_at` finds, for another process."""
    notes = Notes()
    made = decode_here(name, content, notes, bits, min_side)
    pixels = orient(made.pixels, made.orientation)
    gray = is_gray(pixels)
    plain = pixels[..., 0] if gray and pixels.ndim == 3 else pixels
    written = made.converted or made.orientation != 1
    told = {
        "raw": made.pixels.shape[:2],
        "size": pixels.shape[:2],
        "orientation": made.orientation,
        "converted": made.converted,
        "gray": gray,
        "fingerprint": sha256_bytes(str(plain.shape).encode() + np.ascontiguousarray(plain).tobytes()),
        "written": written,
        "whole": whole,
    }
    arrays = [np.frombuffer(encode_png(pixels), np.uint8)] if written else []
    return {**told, **notes.told()}, [*arrays, made.pixels] if whole else arrays


class Ahead:
    """Photographs in their order, looked at several by one message: waking the worker costs more than a small one.

    What is wrong with one is said when its turn comes. Where the worker ends over several, each is looked at alone.
    """

    def __init__(self, names: Sequence[str], read: Callable[[str], bytes], bits: int | None, min_side: int) -> None:
        self._read, self._bits, self._min_side = read, bits, min_side
        self._names, self._place = names, {name: index for index, name in enumerate(names)}
        self._found: dict[str, tuple[bytes, dict[str, Any], list[np.ndarray]]] = {}

    def look_at(self, name: str, notes: Notes, whole: bool) -> tuple[bytes, Seen]:
        """The photograph's bytes and what is seen; ``whole``: with its pixels.

        Raises: as :func:`decode_here`; A21, A24 it cannot be read.
        """
        if not whole and name not in self._found and name in self._place:
            self._fetch(self._place[name])
        if whole or name not in self._found:
            content = self._read(name)
            return content, look_at(name, content, notes, self._bits, self._min_side, whole)
        content, told, arrays = self._found.pop(name)
        if "refused" in told:
            raise InputError(*told["refused"])
        notes.take(told)
        return content, _seen(told, arrays)

    def _fetch(self, start: int) -> None:
        self._found = {}
        contents: dict[str, bytes] = {}
        for name in self._names[start : start + TOGETHER]:
            try:
                contents[name] = self._read(name)
            except InputError:
                if not contents:
                    return
                break
            if sum(map(len, contents.values())) > TOGETHER_BYTES:
                break
        parts = [[name, len(content)] for name, content in contents.items()]
        whole = b"".join(contents.values())
        try:
            told, arrays = guarded("", whole, several_told, parts=parts, bits=self._bits, min_side=self._min_side)
        except InputError:
            return
        for (name, content), one in zip(contents.items(), told["each"], strict=True):
            self._found[name] = content, one, [arrays.pop(0) for _ in range(one["arrays"])]


def several_told(_: str, content: bytes, parts: list[tuple[str, int]], bits: int | None, min_side: int) -> Answer:
    """What :func:`look_at` finds of each part of ``content``, (name, bytes), for another process."""
    each, every, start = [], [], 0
    for name, size in parts:
        try:
            told, arrays = seen_told(name, content[start : start + size], bits, min_side, False)
        except InputError as error:
            told, arrays = {"refused": [error.where, error.code, error.reason, error.remedy]}, []
        each.append({**told, "arrays": len(arrays)})
        every += arrays
        start += size
    return {"each": each}, every
