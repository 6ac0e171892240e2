"""Foreign COCO run-lengths, read in Python alone: pycocotools reads past its buffers on what it does not check."""

from __future__ import annotations

from typing import Any

import numpy as np

from .polygons import ShapeFault


def read_rle(value: Any, size_hw: tuple[int, int]) -> np.ndarray:
    """mask_01 (H, W) of a COCO RLE: ``counts`` compressed (str, bytes) or a list of run-lengths, zeros first.

    Raises:
        ShapeFault: D3 a size that is no pair of positive integers, D2 another size than the photograph's,
            D1 counts that are missing, negative, or do not sum up to height * width.
    """
    if not isinstance(value, dict):
        raise ShapeFault("D5", "the segmentation is no RLE")
    size = value.get("size")
    if isinstance(size, list | tuple):
        size = [_whole(side) for side in size]
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ShapeFault("D3", f"RLE size {str(size)[:60]} is not [height, width]")
    if tuple(size) != size_hw:
        swapped = " (height and width are swapped)" if tuple(size[::-1]) == size_hw else ""
        raise ShapeFault("D2", f"RLE size {list(size)} is not the photograph's {list(size_hw)}{swapped}")
    total = size[0] * size[1]
    runs = _runs(value.get("counts"), total)
    if sum(runs) != total:
        raise ShapeFault("D1", f"RLE runs cover {sum(runs)} of {total} pixels")
    values = np.arange(len(runs)) % 2
    return np.repeat(values, runs).astype(np.uint8).reshape(size_hw, order="F").copy(order="C")


def _whole(value: Any) -> Any:
    """1.0 as 1; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _runs(counts: Any, total: int) -> list[int]:
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        counts = parse_compressed(counts, total)
    if not isinstance(counts, list) or not counts:
        raise ShapeFault("D1", "RLE counts are missing or empty")
    if len(counts) > 2 * total + 2:
        raise ShapeFault("D1", f"RLE has {len(counts)} runs for {total} pixels")
    counts = [_whole(run) for run in counts]
    if not all(type(run) is int and 0 <= run <= total for run in counts):
        raise ShapeFault("D1", "RLE counts hold something else than run-lengths of the photograph")
    return counts


def parse_compressed(text: str, total: int) -> list[int]:
    """The run-lengths of COCO's compressed string.

    Each character carries 5 bits from ``chr(48)`` on, bit 0x20 says that more follow, and from the fourth run on a
    run is stored as the difference to the run two before it (COCO API, maskApi.c, rleToString).
    """
    runs: list[int] = []
    number = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ShapeFault("D1", f"RLE string holds {letter!a}, which its alphabet does not know")
        number |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        if not 0 <= runs[-1] <= total or len(runs) > 2 * total + 2:
            raise ShapeFault("D1", f"RLE run {len(runs) - 1} is {runs[-1]}, in a photograph of {total} pixels")
        number = shift = 0
    if shift:
        raise ShapeFault("D1", "RLE string is cut off")
    return runs
