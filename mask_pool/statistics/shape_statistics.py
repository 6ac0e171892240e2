"""What a mask looks like, in eleven numbers: the same for every size of photograph, and defined for a single pixel."""

from __future__ import annotations

import cv2
import numpy as np

from ..elements.real import tight

NAMES = (
    "area",
    "elongation",
    "solidity",
    "compactness",
    "parts",
    "holes",
    "roughness",
    "width",
    "unevenness",
    "lie_across",
    "lie_diagonal",
)
"""The statistics of ``shape_statistics``, in order."""
SPREADS = (0.35, 0.2, 0.06, 0.2, 0.3, 0.03, 0.05, 0.2, 0.08, 0.25, 0.25)
"""Differences that say nothing, in the statistics' own units: no spread of few examples is believed to be less.

Ours: about what one person's second outline of the same defect differs from the first by.
"""
WORDS: dict[str, tuple[str, str]] = {
    "area": ("larger", "smaller"),
    "elongation": ("more elongated", "less elongated"),
    "solidity": ("fuller", "more bent or branched"),
    "compactness": ("rounder", "less round"),
    "parts": ("in more parts", "in fewer parts"),
    "holes": ("with more holes", "with fewer holes"),
    "roughness": ("rougher in outline", "smoother in outline"),
    "width": ("wider", "narrower"),
    "unevenness": ("more uneven in width", "more even in width"),
}
"""How a high and a low value read; the two that say how a mask lies count, but have no such words."""


def shape_statistics(mask_01: np.ndarray) -> np.ndarray:
    """The eleven statistics (float64) of a non-empty mask_01 (H, W) in the frame of its photograph.

    Lengths are relative to the side √(H·W) of a square as large as the photograph. With A the area, P the perimeter
    (crack length of the pixel edges × π/4, right for a random direction) and the principal axes' variances
    λ1 ≥ λ2 of the pixels' places (each pixel a unit square):

    * area ln(A / HW); elongation ½ ln(λ1/λ2); solidity A / hull area; compactness ln(4πA / P²);
    * parts ln of the number of 8-connected parts; holes: their share of the filled mask;
    * roughness: share of the area that smoothing with a third of the mean width changes;
    * width: ln of the mean width along the skeleton (ridge of the distance transform) / side;
      unevenness: its standard deviation / mean;
    * lie_across, lie_diagonal: (cos 2θ, sin 2θ)·(1 − λ2/λ1) of the long axis' direction θ: 1 along x, −1 along y.

    Raises:
        ValueError: the mask is empty.
    """
    _, bitmap = tight(mask_01)
    photograph = float(mask_01.shape[0] * mask_01.shape[1])
    bitmap = np.pad((bitmap != 0).astype(np.uint8), 1)
    area = float(np.count_nonzero(bitmap))
    longer, shorter, cos_2, sin_2 = _axes(bitmap)
    breadth = _breadths(bitmap)
    mean = float(breadth.mean())
    filled, hull, parts = _outlines(bitmap)
    crack = np.count_nonzero(np.diff(bitmap, axis=0)) + np.count_nonzero(np.diff(bitmap, axis=1))
    lie = 1.0 - shorter / longer
    return np.array(
        [
            np.log(area / photograph),
            0.5 * np.log(longer / shorter),
            min(area / hull, 1.0),
            np.log(4 * np.pi * area / (np.pi / 4 * crack) ** 2),
            np.log(parts),
            1.0 - area / filled,
            _roughness(bitmap, mean, area),
            np.log(mean / np.sqrt(photograph)),
            float(breadth.std()) / mean,
            cos_2 * lie,
            sin_2 * lie,
        ]
    )


def _axes(bitmap: np.ndarray) -> tuple[float, float, float, float]:
    """Variances along the long and the short axis, and cos 2θ, sin 2θ of the long one."""
    rows, columns = np.nonzero(bitmap)
    xx, yy = float(columns.var()) + 1 / 12, float(rows.var()) + 1 / 12
    xy = float(np.mean((columns - columns.mean()) * (rows - rows.mean())))
    half, apart = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    # 1/12 is the variance of a unit square: no axis of a drawn pixel is shorter
    shorter = max(half - apart, 1 / 12)
    return half + apart, shorter, ((xx - yy) / 2 / apart if apart else 1.0), (xy / apart if apart else 0.0)


def _breadths(bitmap: np.ndarray) -> np.ndarray:
    """Widths in pixels at the ridge of the distance transform of a padded bitmap."""
    far = cv2.distanceTransform(bitmap, cv2.DIST_L2, 5)
    ridge = (far >= cv2.dilate(far, np.ones((3, 3), np.uint8)) - 1e-6) & (bitmap > 0)
    # the distance from a pixel's centre to the nearest centre outside is half a pixel too long
    return np.maximum(2.0 * far[ridge].astype(np.float64) - 1.0, 1.0)


def _outlines(bitmap: np.ndarray) -> tuple[float, float, int]:
    """Area with holes filled, area of the hull of all pixels' corners, number of parts."""
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = cv2.drawContours(bitmap.copy(), contours, -1, 1, cv2.FILLED)
    points = np.concatenate(contours).reshape(-1, 1, 2)
    corners = (points + np.array([[[0, 0], [1, 0], [0, 1], [1, 1]]], points.dtype)).reshape(-1, 1, 2)
    hull = float(cv2.contourArea(cv2.convexHull(corners)))
    return float(np.count_nonzero(filled)), hull, len(contours)


def _roughness(bitmap: np.ndarray, mean_width: float, area: float) -> float:
    sigma = max(0.5, mean_width / 3)
    reach = int(np.ceil(3 * sigma))
    wide = cv2.copyMakeBorder(bitmap, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    smooth = cv2.GaussianBlur(wide.astype(np.float32), (2 * reach + 1, 2 * reach + 1), sigma) > 0.5
    return float(np.count_nonzero(smooth != (wide > 0))) / area
