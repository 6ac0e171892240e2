"""Parts and holes of a mask: foreground 8-connected, background 4-connected."""

from __future__ import annotations

import cv2
import numpy as np


def parts_and_holes(bitmap_01: np.ndarray) -> tuple[int, int]:
    """How many parts and how many holes mask_01 (h, w) has."""
    parts = cv2.connectedComponents(bitmap_01, connectivity=8)[0] - 1
    outside = cv2.copyMakeBorder(1 - bitmap_01, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    return parts, cv2.connectedComponents(outside, connectivity=4)[0] - 2


def _simple_points() -> bytes:
    """For each of 256 neighbourhoods, whether its middle pixel may change without changing parts or holes.

    Bit k is the neighbour k / 8 turns from the right one, against the clock. A pixel is simple if its connectivity
    number for 8-connected foreground is 1 (Yokoi, Toriwaki and Fukumura 1975).
    """
    table = bytearray(256)
    for code in range(256):
        free = [1 - (code >> bit & 1) for bit in range(8)]
        number = sum(free[k] - free[k] * free[k + 1] * free[(k + 2) % 8] for k in (0, 2, 4, 6))
        table[code] = number == 1
    return bytes(table)


SIMPLE = _simple_points()
