"""The chunk list of a PNG file, checked: Pillow opens files that lack their end or carry wrong checksums."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


PLAIN = frozenset({b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD"})
"""Chunks that say nothing of how pixels are to be read, and hold nothing that a reader could choke on."""


def is_plain(content: bytes) -> bool:
    """Whether a PNG is whole, of 8 bits, gray or RGB, and without any chunk but ``PLAIN`` ones."""
    if not content.startswith(SIGNATURE) or len(content) < 33 or content[24] != 8 or content[25] not in (0, 2):
        return False
    kinds: set[bytes] = set()
    return png_fault(content, kinds) is None and kinds <= PLAIN


def png_fault(content: bytes, kinds: set[bytes] | None = None) -> tuple[str, str] | None:
    """(code, reason) of what is wrong with the chunks of a PNG, or None. ``kinds``: takes the chunks' names.

    A14: a chunk is cut off, its CRC is wrong, or IEND is missing. A11: the file is an animation.
    """
    position = len(SIGNATURE)
    kinds = set() if kinds is None else kinds
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        kinds.add(kind)
        end = position + 12 + length
        if end > len(content):
            return "A14", f"chunk {kind.decode('ascii', 'replace')} is cut off"
        (declared,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(memoryview(content)[position + 4 : end - 4]) != declared:
            return "A14", f"chunk {kind.decode('ascii', 'replace')} has a wrong checksum"
        if kind == b"acTL" and struct.unpack_from(">I", content, position + 8)[0] > 1:
            return "A11", "is an animation"
        if kind == b"IEND":
            return None
        position = end
    return "A14", "has no IEND chunk: the file is cut off"


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _image_data(content: bytes) -> Iterator[memoryview]:
    position, whole = len(SIGNATURE), memoryview(content)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        if kind == b"IDAT":
            yield whole[position + 8 : position + 8 + length]
        position += 12 + length


PIECE = 2**20
"""Bytes inflated at a time."""


def png_bytes(content: bytes) -> int | None:
    """How many bytes the image data of a PNG must inflate to; None for an interlaced or unknown one."""
    if len(content) < 33 or content[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", content, 16)
    if interlace or colour not in CHANNELS:
        return None
    return height * (1 + (width * depth * CHANNELS[colour] + 7) // 8)


def short_data(content: bytes) -> tuple[str, str] | None:
    """A14 where the image data of a PNG of sound chunks ends before the picture does: Pillow takes the rest for
    black."""
    wanted = png_bytes(content)
    if wanted is None:
        return None
    inflate, found = zlib.decompressobj(), 0
    try:
        for part in _image_data(content):
            rest: bytes | memoryview = part
            while rest and not inflate.eof:
                found += len(inflate.decompress(rest, PIECE))
                rest = inflate.unconsumed_tail
                if found >= wanted:
                    return None
        found += len(inflate.flush())
    except zlib.error as error:
        return "A14", f"its image data is damaged ({error})"
    return None if found >= wanted else ("A14", f"holds {found} of {wanted} bytes of image data")


def png_bit_depth(content: bytes) -> int:
    """Bits per sample from the header of a PNG."""
    return content[24]
