"""The chunk list of a PNG file, checked: Pillow opens files that lack their end or carry wrong checksums."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_fault(content: bytes) -> tuple[str, str] | None:
    """(code, reason) of what is wrong with the chunks of a PNG, or None.

    A14: a chunk is cut off, its CRC is wrong, or IEND is missing. A11: the file is an animation.
    """
    position = len(SIGNATURE)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
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


def png_bit_depth(content: bytes) -> int:
    """Bits per sample from the header of a PNG."""
    return content[24]
