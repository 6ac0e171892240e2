"""Mask pictures to pixels, and pixels to instances.

One rule for all files: a palette mask counts by its indexes, never by its colours (B5); in a mask with colour or
alpha, a pixel's value is its largest colour channel where alpha is at least half, else 0 (B6). Of these values:

* B2: two or fewer kinds of values, or none of 128 and above: everything but 0 is defect.
* B3: otherwise the mask is anti-aliased: values of at least 128 (of 255) are defect.
* B4: a mask stored as JPEG: values above 127 are defect, with a warning; refused under ``strict``.
* B8: more than 90 % defect looks inverted: a warning; refused under ``strict``.
* B10: touching pixels, diagonals included (8-connectivity), are one instance.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .image_files import open_image
from .ledger import Notes, refuse

COVERED = 0.9
MAX_PARTS = 10_000


def decode_mask(name: str, content: bytes, notes: Notes, strict: bool = False) -> np.ndarray:
    """mask_01 (H, W) of the mask picture ``name``; it may be empty.

    Raises:
        InputError: A-codes where it does not decode; B3, B4, B8 as said above; A2 where it carries an orientation.
    """
    image, orientation = open_image(name, content, notes)
    if orientation != 1:
        raise refuse(name, "A2", "the mask carries an EXIF orientation", "save it without EXIF")
    if image.mode in {"CMYK", "LAB", "YCbCr", "HSV"}:
        raise refuse(name, "B6", f"the mask has the colour mode {image.mode}", "export it as gray PNG")
    values = _values(np.asarray(image), image.mode)
    if image.format == "JPEG":
        if strict:
            raise refuse(name, "B4", "the mask is a JPEG, its edges are lost", "export it as PNG")
        notes.repair("B4", "JPEG mask cut above 127")
        mask_01 = (values > 127).astype(np.uint8)
    else:
        mask_01 = _binary(name, values, image.mode, notes)
    if mask_01.mean() > COVERED:
        if strict:
            raise refuse(name, "B8", f"{mask_01.mean():.0%} of the mask is defect", "invert it if it is inverted")
        notes.warn("B8", f"{mask_01.mean():.0%} of the mask is defect; is it inverted?")
    return mask_01


def _values(array: np.ndarray, mode: str) -> np.ndarray:
    if mode in {"RGBA", "LA", "PA"}:
        return np.where(array[..., -1] >= 128, array[..., :-1].max(axis=-1), 0)
    if array.ndim == 3:
        return array.max(axis=-1)
    return array.astype(np.uint8) * 255 if array.dtype == bool else array


def _binary(name: str, values: np.ndarray, mode: str, notes: Notes) -> np.ndarray:
    if not np.isfinite(values).all():
        raise refuse(name, "A7", "the mask holds NaN or infinity", "export it as 8-bit PNG")
    most = int(values.max())
    full = 65535 if most > 255 else 255
    if mode == "P" or most < (full + 1) // 2 or not _more_than_two(values, most):
        if mode != "P" and most not in {0, full}:
            notes.repair("B2", f"mask of 0 and {most}: everything but 0 is defect")
        return (values != 0).astype(np.uint8)
    mask_01 = (values >= (full + 1) // 2).astype(np.uint8)
    unsure = float(((values > 0) & (values < most)).sum()) / max(1.0, float((values != 0).sum()))
    notes.repair("B3", f"anti-aliased mask cut at half; {unsure:.1%} of its pixels were in between")
    return mask_01


def _more_than_two(values: np.ndarray, most: int) -> bool:
    return bool(((values != 0) & (values != most)).any())


def components(name: str, mask_01: np.ndarray) -> Iterator[np.ndarray]:
    """The 8-connected parts of a mask, each as mask_01 (H, W), in order of their first pixel row by row.

    Raises:
        InputError: B10 so many parts that this is noise, not a drawn mask.
    """
    count, labels = cv2.connectedComponents(np.ascontiguousarray(mask_01), connectivity=8)
    if count - 1 > MAX_PARTS:
        raise refuse(name, "B10", f"falls into {count - 1} parts", "remove the noise from the mask")
    for index in range(1, count):
        yield (labels == index).astype(np.uint8)
