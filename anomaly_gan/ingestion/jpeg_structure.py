"""What the heads of JPEG and BMP files say of the work that decoding them takes."""

from __future__ import annotations

import struct

FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
SCANS = 16
"""Scans of a progressive JPEG that programs write at most; every one is a pass over the whole picture."""
UNKNOWN = 2**62


def jpeg_cost(content: bytes) -> int:
    """Pixels of a JPEG, times its scans above the usual; ``UNKNOWN`` where its head does not say."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        kind = content[position + 1]
        if kind == 0xFF:  # a fill byte
            position += 1
        elif kind in FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width * height * max(1, content.count(b"\xff\xda") // SCANS)
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return UNKNOWN


def bmp_cost(content: bytes) -> int:
    """Pixels of a BMP; ``UNKNOWN`` for a packed one."""
    if len(content) < 34:
        return 0
    head, width, height, _, _, packed = struct.unpack_from("<IiiHHI", content, 14)
    return abs(width) * abs(height) if head >= 40 and packed == 0 else UNKNOWN
