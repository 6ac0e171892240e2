"""Pictures of every mode and depth to 8-bit gray or RGB, with a word on each change."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageCms

from ..core.images import is_gray
from .ledger import Notes, refuse

LEAST_LEVELS = 16
SOFT_ALPHA = 0.05
"""Share of pixels that are neither clear nor opaque from which on alpha is a map, not a cut-out."""
ROWS = 128
"""Rows converted at a time: as fractions, pixels take four times the memory."""


def scale_to_8_bits(name: str, samples: np.ndarray, bits: int | None, notes: Notes) -> np.ndarray:
    least, most = int(samples.min()), int(samples.max())
    bits = max(8, most.bit_length()) if bits is None else bits
    top = 2**bits - 1
    if least < 0 or most > top:
        raise refuse(name, "A6", f"has values from {least} to {most}, outside {bits} bits", "correct `bits`")
    notes.repair("A6", f"{bits}-bit samples scaled to 8 bits over the full range")
    table, scaled = np.rint(np.arange(top + 1) * (255 / top)).astype(np.uint8), np.empty(samples.shape, np.uint8)
    for row in range(0, len(samples), ROWS):
        scaled[row : row + ROWS] = table[samples[row : row + ROWS]]
    used = max(8, most.bit_length())
    _enough_levels(name, samples, scaled, f"its brightest pixel is {most} of {top}", f"set bits={used}")
    return scaled


def _enough_levels(name: str, before: np.ndarray, after: np.ndarray, why: str, remedy: str) -> None:
    """Refuse (A26) a conversion that leaves next to nothing to see; pictures that had no more stay as they are."""
    flat = np.ascontiguousarray(after).reshape(-1, 1)
    left = int((cv2.calcHist([flat], [0], None, [256], [0, 256]) > 0).sum())
    had = len(np.unique(before)) if left < LEAST_LEVELS else 0
    if had >= LEAST_LEVELS or had > 2 * left:
        raise refuse(name, "A26", f"keeps {left} gray levels: {why}", remedy)


def to_gray_or_rgb(image: Image.Image, name: str, notes: Notes) -> Image.Image:
    mode = image.mode
    if mode in {"CMYK", "YCbCr", "LAB"}:
        notes.repair("A8", f"{mode} converted to RGB")
        if mode == "LAB":
            profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
            if converted is None:
                raise ValueError("LAB conversion failed")
            return converted
        return image.convert("RGB")
    if mode == "1":
        notes.repair("A9", "1-bit picture as 0 and 255")
        return image.convert("L")
    if mode in {"P", "PA", "LA", "RGBA", "La", "RGBa"} or "transparency" in image.info:
        return _flatten(image, name, notes)
    raise refuse(name, "A9", f"has the colour mode {mode}, which is not known here", "convert it to gray or RGB")


def _flatten(image: Image.Image, name: str, notes: Notes) -> Image.Image:
    """Palette to colours, and a cut-out over black; alpha that is none is left out, with a warning."""
    seen = image.convert("RGBA")
    alpha = np.asarray(seen)[..., 3]
    soft = float(((alpha > 0) & (alpha < 255)).mean())
    if alpha.max() == 0 or soft > SOFT_ALPHA:
        notes.repair("A9", f"mode {image.mode}: alpha left out, it is no cut-out")
        why = "0 everywhere" if alpha.max() == 0 else f"neither clear nor opaque in {soft:.0%} of the picture"
        notes.warn("A9", f"alpha is {why}: the colours count as they are stored")
        flat = seen.convert("RGB")
    else:
        notes.repair("A9", f"mode {image.mode} flattened over black")
        flat = Image.alpha_composite(Image.new("RGBA", seen.size, (0, 0, 0, 255)), seen).convert("RGB")
        if alpha.min() < 255:
            remedy = "save it without alpha"
            _enough_levels(
                name, np.asarray(seen)[..., :3], np.asarray(flat), "the rest is cut out by its alpha", remedy
            )
    return flat.convert("L") if is_gray(np.asarray(flat)) else flat
