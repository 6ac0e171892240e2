"""What a photograph looks like around a mask that is painted out, for the plausibility model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from anomaly_gan.core.masks import Axes, grow

PLACE_NAMES = ("x", "y", "border", "gray_near", "gray_far", "texture_near", "texture_far", "along", "across", "inside")
LARGEST_PX = 256 * 256
"""Photographs of more pixels are reduced before they are looked at."""
GROWN = 0.012
"""How much a mask grows before it is painted out, as a share of √(H·W), so that no rim of the defect stays."""


def paint_out(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """The photograph (H, W) or (H, W, 3) uint8 with the grown mask filled in from around it (Telea 2004)."""
    reach = max(2, round(GROWN * float(np.sqrt(mask_01.size))))
    return cv2.inpaint(pixels, grow(mask_01, reach), 3, cv2.INPAINT_TELEA)


@dataclass(frozen=True, eq=False)
class PlaceMaps:
    """``maps`` (P, h, w) float32, one to each of ``PLACE_NAMES``, of a photograph that may be reduced to h × w.

    x, y: place in [-1, 1]; border: ln(1 + distance to the border / 5 % of the side); gray: blurred near (2 % of the
    side) and far (8 %), texture: ln of the gradient's strength, blurred alike, all relative to the photograph's own
    median and spread, so that exposure tells nothing; along, across: place on the axes of what stands out from the
    photograph's border in gray (the object), in its standard deviations, ``along`` pointing to its heavier end;
    inside: share of the object near by.
    """

    maps: np.ndarray

    @classmethod
    def of(cls, gray: np.ndarray) -> Self:
        """From a photograph (H, W) uint8 in which the mask's place is painted out."""
        factor = min(1.0, float(np.sqrt(LARGEST_PX / gray.size)))
        size = (max(1, round(gray.shape[1] * factor)), max(1, round(gray.shape[0] * factor)))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        side = float(np.sqrt(small.size))
        small = _normal(cv2.GaussianBlur(small, (0, 0), 0.7))
        height, width = small.shape
        y, x = np.mgrid[:height, :width].astype(np.float32)
        border = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
        strength = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
        near, far = 0.02 * side, 0.08 * side
        textures = [_normal(np.log(_blurred(strength, sigma) + 1e-2)) for sigma in (near, far)]
        along, across, inside = _object(small, near)
        return cls(
            np.stack(
                [
                    2 * (x + 0.5) / width - 1,
                    2 * (y + 0.5) / height - 1,
                    np.log1p(border / (0.05 * side)),
                    _blurred(small, near),
                    _blurred(small, far),
                    *textures,
                    along,
                    across,
                    inside,
                ]
            ).astype(np.float32)
        )

    def under(self, mask_01: np.ndarray) -> np.ndarray:
        """Mean (P,) of every map under a non-empty mask_01 (H, W) in the frame of the whole photograph."""
        shape = self.maps.shape[1:]
        if mask_01.shape == shape:
            rows, columns = np.nonzero(mask_01)
        else:
            rows, columns = np.nonzero(mask_01)
            rows, columns = (
                (index * small // size)
                for index, small, size in zip((rows, columns), shape, mask_01.shape, strict=True)
            )
        return np.asarray(self.maps[:, rows, columns].mean(axis=1, dtype=np.float64))


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; a wide one on a reduced picture, which is as good and takes a tenth of the time."""
    step = max(1, min(int(sigma / 2.5), min(values.shape) // 4))
    if step == 1:
        return cv2.GaussianBlur(values, (0, 0), sigma)
    height, width = values.shape
    small = cv2.resize(values, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / step), (width, height), interpolation=cv2.INTER_LINEAR)


def _normal(values: np.ndarray) -> np.ndarray:
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) + 0.25 * values.std()
    return np.clip((values - middle) / max(float(spread), 1e-3), -6, 6).astype(np.float32)


def _object(small: np.ndarray, blur: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place along and across the object, and the share of it near by; zeros where nothing stands out."""
    rim = max(1, round(0.03 * min(small.shape)))
    frame = np.concatenate([small[:rim].ravel(), small[-rim:].ravel(), small[:, :rim].ravel(), small[:, -rim:].ravel()])
    out = np.abs(cv2.GaussianBlur(small, (0, 0), max(0.7, blur / 4)) - np.median(frame))
    limit, _ = cv2.threshold((np.clip(out, 0, 6) * 40).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    found = out * 40 > max(limit, 1.0)
    if np.count_nonzero(found) < 9:
        nothing = np.zeros_like(small)
        return nothing, nothing, nothing
    points = np.argwhere(found)[:, ::-1].astype(np.float64)
    main = Axes.of_points(points)
    middle, axis = main.centre, main.vectors[0]
    places = (points - middle) @ axis
    # the third moment tells which end is heavier: its mass lies nearer to the middle
    axis = -axis if np.mean(places**3) > 0 else axis
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float64)
    along = ((x - middle[0]) * axis[0] + (y - middle[1]) * axis[1]) / main.spread[0]
    across = np.abs((y - middle[1]) * axis[0] - (x - middle[0]) * axis[1]) / main.spread[1]
    inside = _blurred(found.astype(np.float32), blur)
    return np.clip(along, -4, 4), np.minimum(across, 4), inside
