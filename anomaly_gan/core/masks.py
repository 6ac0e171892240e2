"""Binary masks and their run-length form. A mask is ``mask_01``: uint8 (H, W) of zeros and ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import cv2
import numpy as np
from pycocotools import mask as coco_mask


class Rle(TypedDict):
    """COCO's compressed run lengths of a mask: ``size`` is [H, W]."""

    size: list[int]
    counts: str


def encode_rle(mask_01: np.ndarray) -> Rle:
    """COCO's compressed RLE of a mask (H, W), ready for JSON: ``{"size": [H, W], "counts": str}``."""
    rle = coco_mask.encode(np.asfortranarray(mask_01 != 0, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def encode_rle_box(bitmap_01: np.ndarray, x: int, y: int, size_hw: tuple[int, int]) -> Rle:
    """COCO's compressed RLE of a frame ``size_hw`` that holds ``bitmap_01`` (h, w) with its corner at pixel (x, y).

    The same bytes as :func:`encode_rle` of the whole frame, from the runs of the box alone: the frame is never built.

    Raises:
        ValueError: the box does not lie inside the frame.
    """
    (height, width), (h, w) = size_hw, bitmap_01.shape
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(f"a box of {h} x {w} at ({x}, {y}) does not lie inside a frame of {height} x {width}")
    # one free pixel below each column keeps columns apart, unless the box is as high as the frame
    free = int(h < height)
    columns = np.zeros(1 + w * (h + free), np.bool_)
    # OpenCV turns bytes five times as fast as NumPy copies a turned view
    turned = cv2.transpose(bitmap_01 if bitmap_01.dtype == np.uint8 else (bitmap_01 != 0).view(np.uint8))
    np.not_equal(turned, 0, out=columns[1:].reshape(w, h + free)[:, :h])
    ends = np.empty(3 + w * (h + free), np.int64)
    changes = np.flatnonzero(columns[1:] != columns[:-1])
    number = len(changes)
    ends[0], ends[1 : number + 1] = 0, changes + (x * height + y)
    if free:
        ends[1 : number + 1] += changes // (h + 1) * (height - h - 1)
    if number % 2:  # the last column of a full-height box is set to its end
        number += 1
        ends[number] = (x + w) * height
    ends[number + 1] = height * width
    runs = np.diff(ends[: number + 2])
    if number and runs[-1] == 0:
        runs = runs[:-1]
    packed = coco_mask.frPyObjects([{"size": [height, width], "counts": runs}], height, width)[0]
    return {"size": [int(height), int(width)], "counts": packed["counts"].decode("ascii")}


def decode_rle(rle: Rle) -> np.ndarray:
    """The mask_01 (H, W) of a compressed RLE that this project wrote (foreign RLE is validated at ingest)."""
    return coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")})


def mask_area(mask_01: np.ndarray) -> int:
    """Number of set pixels."""
    return int(np.count_nonzero(mask_01))


FRAGMENT = 0.1
"""An instance smaller than this share of the photograph's largest is a splinter."""


def windowed(masks_01: Sequence[np.ndarray]) -> list[int]:
    """Positions of the masks that are looked at on their own: all but empty ones and splinters."""
    return no_splinters([mask_area(mask) for mask in masks_01])


def no_splinters(areas: Sequence[int]) -> list[int]:
    """``windowed`` of masks whose areas are known."""
    least = FRAGMENT * max(areas, default=0)
    return [at for at, area in enumerate(areas) if area > 0 and area >= least]


def mask_box_xywh(mask_01: np.ndarray) -> list[int]:
    """Tight box [x, y, width, height] in pixels of a non-empty mask; width and height are at least 1.

    Raises:
        ValueError: the mask is empty.
    """
    rows = np.nonzero(mask_01.any(axis=1))[0]
    if rows.size == 0:
        raise ValueError("an empty mask has no box")
    y, low = int(rows[0]), int(rows[-1]) + 1
    columns = np.nonzero(mask_01[y:low].any(axis=0))[0]
    x = int(columns[0])
    return [x, y, int(columns[-1]) - x + 1, low - y]


def mask_width_px(mask_01: np.ndarray) -> float:
    """How wide the mask is across, in pixels: of a band its thickness, of a disc two thirds of its diameter.

    Four times the mean distance of its pixels to its edge: along a band of width w that distance is w / 4 in the mean.

    Raises:
        ValueError: the mask is empty.
    """
    x, y, width, height = mask_box_xywh(mask_01)
    framed = cv2.copyMakeBorder(mask_01[y : y + height, x : x + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform((framed != 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return max(1.0, 4.0 * (float(depth[framed != 0].mean()) - 0.5))


@dataclass(frozen=True, eq=False)
class Axes:
    """Main axes of pixels, from their second moments: points are (x, y), y down.

    ``centre`` (2,); ``vectors`` (2, 2), unit vectors along the longer axis and across it, of either sign; ``spread``
    (2,), standard deviations along them. A pixel's own spread of 1/12 is in them: a line one pixel thin has a width.
    """

    centre: np.ndarray
    vectors: np.ndarray
    spread: np.ndarray

    @classmethod
    def of_points(cls, points_N2: np.ndarray) -> Axes:
        """Of at least one point."""
        points = np.asarray(points_N2, float)
        centre = points.mean(axis=0)
        variances, vectors = np.linalg.eigh(np.cov(points.T, bias=True) + np.eye(2) / 12)
        return cls(centre, vectors.T[::-1], np.sqrt(variances[::-1]))

    @classmethod
    def of(cls, mask_01: np.ndarray) -> Axes:
        """Of a mask that is not empty."""
        return cls.of_points(np.argwhere(mask_01)[:, ::-1])

    @property
    def ratio(self) -> float:
        """Of the longer spread over the shorter one, at least 1."""
        return float(self.spread[0] / self.spread[1])

    @property
    def degrees(self) -> float:
        """Direction of the longer axis in [-90, 90), from the x axis towards y."""
        x, y = self.vectors[0]
        return float((np.degrees(np.arctan2(y, x)) + 90) % 180 - 90)


def grow(mask_01: np.ndarray, distance_px: int) -> np.ndarray:
    """mask_01 of all pixels within ``distance_px`` of the mask in x and in y (a square, the larger reading)."""
    side = 2 * distance_px + 1
    return cv2.dilate((mask_01 != 0).astype(np.uint8), np.ones((side, side), np.uint8)) if distance_px else mask_01


def decode_union(rles: Sequence[Rle], height: int, width: int) -> np.ndarray:
    """mask_01 (height, width) of everything any of the run lengths covers: joined as runs, one frame is built."""
    if not rles:
        return np.zeros((height, width), np.uint8)
    found = [{"size": rle["size"], "counts": rle["counts"].encode("ascii")} for rle in rles]
    return np.ascontiguousarray(coco_mask.decode(coco_mask.merge(found)))


def union(masks: Iterable[np.ndarray], height: int, width: int) -> np.ndarray:
    """mask_01 (height, width) of everything any of the masks covers."""
    covered = np.zeros((height, width), np.bool_)
    for mask_01 in masks:
        np.logical_or(covered, mask_01, out=covered)
    return covered.view(np.uint8)
