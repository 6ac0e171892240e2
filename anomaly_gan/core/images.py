"""Pixels in and out. Images are uint8, (H, W) for gray or (H, W, 3) for RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .dataset import Dataset, ImageRecord
from .errors import InputError
from .files import sha256_bytes, write_bytes


def read_pixels(path: Path, gray: bool) -> np.ndarray:
    """Decode an image that ingest has accepted: (H, W) uint8 if ``gray``, else (H, W, 3) RGB uint8.

    Raises:
        InputError: the file is missing or does not decode.
    """
    return _decode(path, _read(path), gray)


def read_verified(path: Path, sha256: str, gray: bool) -> np.ndarray:
    """``read_pixels``, where the file still has the bytes it had when ``sha256`` was written down.

    A JPEG with a flipped byte decodes without complaint: only its hash tells.

    Raises:
        InputError: A13 the bytes are others; A24, A12 as ``read_pixels``.
    """
    content = _read(path)
    if sha256_bytes(content) != sha256:
        raise InputError(str(path), "A13", "has changed since its stage wrote it (another SHA-256)", "run ingest again")
    return _decode(path, content, gray)


def read_record(dataset: Dataset, image: ImageRecord, gray: bool) -> np.ndarray:
    """The pixels of a photograph of a data set, as ``read_verified``: every stage reads what ingest has accepted, and
    stops where the file was changed since."""
    return read_verified(dataset.path_of(image), image.sha256, gray)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), "A24", f"cannot be read ({error.strerror})", "run ingest again") from error


def _decode(path: Path, content: bytes, gray: bool) -> np.ndarray:
    flag = cv2.IMREAD_ANYCOLOR if gray else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION) if content else None
    if pixels is None:
        raise InputError(str(path), "A12", "does not decode as an image", "run ingest again")
    shown = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return to_mode(shown, "L") if gray else shown


def to_mode(pixels: np.ndarray, mode: str) -> np.ndarray:
    """The image (H, W[, 3]) uint8 as gray (H, W) for ``L``, as (H, W, 3) for ``RGB``; gray is made by this alone, so
    that a file has the same pixels for every verb (decoders differ by a level)."""
    if mode == "L":
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


GRAY_MEAN, GRAY_MOST = 3.0, 12.0
"""A photograph is gray where its channels differ by no more than this in the mean, and nearly everywhere."""


def is_gray(pixels: np.ndarray) -> bool:
    """Whether the photograph (H, W) or (H, W, 3) holds no colour: one channel, or three equal ones."""
    return pixels.ndim == 2 or bool(
        np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2])
    )


def looks_gray(pixels: np.ndarray) -> bool:
    """Whether it is a gray one, also where JPEG has left traces of colour in its three channels."""
    if pixels.ndim == 2:
        return True
    apart = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return bool(apart.mean() <= GRAY_MEAN and np.quantile(apart, 0.99) <= GRAY_MOST)


PNG_SETTINGS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_SUB,
)
"""Four to six times faster than searching for repeats (level 3), and no larger: photographs hardly repeat."""


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG bytes of (H, W) or (H, W, 3) uint8; the same pixels give the same bytes."""
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(".png", ordered, PNG_SETTINGS)
    if not done:
        raise ValueError(f"cannot encode an array of shape {pixels.shape} and type {pixels.dtype} as PNG")
    return content.tobytes()


def write_png(path: Path, pixels: np.ndarray) -> bytes:
    """Write a PNG atomically; returns its bytes."""
    content = encode_png(pixels)
    write_bytes(path, content)
    return content
