"""Binary masks and their run-length form. A mask is ``mask_01``: uint8 (H, W) of zeros and ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask


def encode_rle(mask_01: np.ndarray) -> dict[str, Any]:
    """COCO's compressed RLE of a mask (H, W), ready for JSON: ``{"size": [H, W], "counts": str}``."""
    rle = coco_mask.encode(np.asfortranarray(mask_01 != 0, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: dict[str, Any]) -> np.ndarray:
    """The mask_01 (H, W) of a compressed RLE that this project wrote (foreign RLE is validated at ingest)."""
    return coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")})


def mask_area(mask_01: np.ndarray) -> int:
    """Number of set pixels."""
    return int(np.count_nonzero(mask_01))


def mask_box_xywh(mask_01: np.ndarray) -> list[int]:
    """Tight box [x, y, width, height] in pixels of a non-empty mask; width and height are at least 1.

    Raises:
        ValueError: the mask is empty.
    """
    rows = np.flatnonzero(mask_01.any(axis=1))
    columns = np.flatnonzero(mask_01.any(axis=0))
    if rows.size == 0:
        raise ValueError("an empty mask has no box")
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
