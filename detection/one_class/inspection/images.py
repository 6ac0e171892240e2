"""From a photograph of any size to the squares that a detector looks at, and from their maps back to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anomaly_gan.core.channels import channels_first
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import to_mode

from ..configs.base import Frame, OneClassConfig, Region

OVERLAP = 0.25
"""Least share of its side that a tile has in common with the next one."""
LEVEL = 128
"""Gray level that the border of a flattened photograph gets."""
BORDER_SHARE = 0.05
"""Width of the border as a share of the shorter side."""


@dataclass(frozen=True)
class View:
    """How a detector looks at photographs: its squares of ``size`` pixels, and ``flatten``; see ``OneClassConfig``."""

    size: int
    frame: Frame = "square"
    region: Region | None = None
    flatten: bool = False

    @classmethod
    def of(cls, settings: OneClassConfig, flatten: bool = False) -> View:
        return cls(settings.size, settings.frame, settings.region, flatten)

    def squares(self, pixels: np.ndarray, mode: str | None = None, file: str = "photograph") -> np.ndarray:
        """(K, C, size, size) uint8 of a photograph (H, W[, 3]); K is 1 but for tiles.

        Args:
            pixels: uint8 (H, W) or (H, W, 3).
            mode: ``L`` or ``RGB`` to bring it to; None: as it is.
            file: named where it is smaller than the region.

        Raises:
            InputError: the region does not lie in the photograph.
        """
        shown = to_mode(pixels, mode) if mode else pixels
        if self.flatten:
            shown = flatten_brightness(shown)
        left, top, right, bottom = self._inside(shown.shape[:2], file)
        shown = shown[top:bottom, left:right]
        if self.frame == "square":
            return to_square(shown, self.size)[None]
        if self.frame == "kept":
            return _filled(_longest(shown, self.size), self.size)[None]
        height, width = shown.shape[:2]
        return np.stack(
            [
                _filled(shown[down : down + self.size, across : across + self.size], self.size)
                for down in _starts(height, self.size)
                for across in _starts(width, self.size)
            ]
        )

    def spread(self, maps_KSS: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
        """(h, w) float32 over the whole photograph of ``size_hw``, at any resolution, from the maps of its squares.

        Overlapping tiles are averaged; outside the region stands the least value.
        """
        if self.frame == "square" and self.region is None:
            return maps_KSS[0]
        left, top, right, bottom = self._inside(size_hw, "photograph")
        height, width = bottom - top, right - left
        if self.frame == "tiles":
            inner = self._joined(maps_KSS, height, width)
        else:
            high, wide = _fitted(height, width, self.size) if self.frame == "kept" else (self.size, self.size)
            part = np.ascontiguousarray(maps_KSS[0, :high, :wide])
            inner = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))
        whole = np.full(size_hw, inner.min(), np.float32)
        whole[top:bottom, left:right] = inner
        return whole

    def _joined(self, maps_KSS: np.ndarray, height: int, width: int) -> np.ndarray:
        total, count = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
        corners = [(down, across) for down in _starts(height, self.size) for across in _starts(width, self.size)]
        for (down, across), one in zip(corners, maps_KSS, strict=True):
            place = total[down : down + self.size, across : across + self.size]
            place += one[: place.shape[0], : place.shape[1]]
            count[down : down + self.size, across : across + self.size] += 1
        return total / count

    def _inside(self, size_hw: tuple[int, ...], file: str) -> Region:
        if self.region is None:
            return 0, 0, size_hw[1], size_hw[0]
        if self.region[2] > size_hw[1] or self.region[3] > size_hw[0]:
            raise InputError(
                file,
                "A19",
                f"is {size_hw[1]} x {size_hw[0]} pixels, the region {list(self.region)} does not lie in it",
                "give a region that every photograph has, or leave this one out",
            )
        return self.region


def _starts(length: int, size: int) -> list[int]:
    """Where tiles begin along a side: evenly, the first and the last at its ends."""
    if length <= size:
        return [0]
    count = -(-(length - size) // max(1, round(size * (1 - OVERLAP)))) + 1
    return [round(number * (length - size) / (count - 1)) for number in range(count)]


def _fitted(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) with the longer side ``size``."""
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _longest(pixels: np.ndarray, size: int) -> np.ndarray:
    high, wide = _fitted(pixels.shape[0], pixels.shape[1], size)
    smaller = max(pixels.shape[:2]) > size
    return cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _filled(pixels: np.ndarray, size: int) -> np.ndarray:
    """(C, size, size): the rest right and below is its mirror image."""
    rest = (size - pixels.shape[0], size - pixels.shape[1])
    if any(rest):
        pixels = cv2.copyMakeBorder(pixels, 0, rest[0], 0, rest[1], cv2.BORDER_REFLECT)
    return np.ascontiguousarray(channels_first(pixels))


def to_square(pixels: np.ndarray, size: int, flatten: bool = False) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> (C, size, size) uint8: the whole photograph; its proportions are not kept.

    A side that shrinks is averaged by area, one that grows is interpolated linearly. ``flatten``: see
    :func:`flatten_brightness`.
    """
    shown = flatten_brightness(pixels) if flatten else pixels
    height, width = shown.shape[:2]
    if height > size or width > size:
        shown = cv2.resize(shown, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    if shown.shape[:2] != (size, size):
        shown = cv2.resize(shown, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(channels_first(shown))


def flatten_brightness(pixels: np.ndarray) -> np.ndarray:
    """The photograph (H, W[, 3]) uint8 with each channel scaled so that the median of its border is ``LEVEL``.

    Removes the exposure of the single photograph where the background runs round the part (screws on white). What is
    then brighter than 255 is clipped: do not use it for bright parts on black.
    """
    height, width = pixels.shape[:2]
    wide = max(1, round(min(height, width) * BORDER_SHARE))
    planes = pixels.reshape(height, width, -1)
    inner = np.zeros((height, width), bool)
    inner[wide : height - wide, wide : width - wide] = True
    level = np.median(planes[~inner], axis=0)
    values = np.arange(256)[:, None] * (LEVEL / np.maximum(level, 1.0))
    table = np.rint(values).clip(0, 255).astype(np.uint8)
    scaled = [cv2.LUT(np.ascontiguousarray(planes[..., channel]), table[:, channel]) for channel in range(len(level))]
    return np.stack(scaled, axis=-1).reshape(pixels.shape)
