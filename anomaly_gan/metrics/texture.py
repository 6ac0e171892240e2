"""How alike two defects are painted, whatever their place, size, angle and light: for finding copies."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.masks import Axes

SIDE, COARSE = 64, 32
ROOM = 1.15
"""Side of the upright square over the longer side of the defect in it."""


def upright_texture(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """The defect laid along its main axis in a small square, its mean level taken away, 0 outside its mask.

    The axes are those of the mask's second moments, so a turned, moved or scaled copy gives the same square up to
    mirror images.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        mask_01: not empty.

    Returns:
        (COARSE * COARSE,) float32, grey levels.
    """
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    inside = mask_01 != 0
    filled: np.ndarray = np.where(inside, gray, gray[inside].mean()).astype(np.float32)
    affine = _upright(mask_01)
    scale = float(np.hypot(*affine[:, 0]))
    if scale > 1:  # large defects are squeezed: without this their grain would alias
        filled = cv2.GaussianBlur(filled, (0, 0), 0.5 * scale)
    flags = cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(
        filled, affine, (SIDE, SIDE), flags=cv2.INTER_LINEAR | flags, borderMode=cv2.BORDER_REFLECT_101
    )
    cover = cv2.warpAffine(inside.astype(np.uint8), affine, (SIDE, SIDE), flags=cv2.INTER_NEAREST | flags) != 0
    smooth = cv2.GaussianBlur(square, (0, 0), 1.0)
    level = smooth[cover].mean() if cover.any() else 0.0
    return cv2.resize(
        np.where(cover, smooth - level, 0).astype(np.float32), (COARSE, COARSE), interpolation=cv2.INTER_AREA
    ).ravel()


def mirrored(texture: np.ndarray) -> np.ndarray:
    """(4, COARSE * COARSE): the four mirror images that a main axis leaves open."""
    square = texture.reshape(COARSE, COARSE)
    return np.stack([square, square[::-1], square[:, ::-1], square[::-1, ::-1]]).reshape(4, -1)


def unit(textures: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1 (a flat one stays 0), float32: products of rows are normalised cross-correlations."""
    length = np.linalg.norm(textures, axis=-1, keepdims=True)
    return (textures / np.maximum(length, 1e-6)).astype(np.float32)


def distances(texture: np.ndarray, textures: np.ndarray) -> np.ndarray:
    """(N,) in 0..2: 1 - correlation of a unit texture (K,) with the nearest mirror image of each of (N, 4, K)."""
    return 1.0 - (textures @ texture).max(axis=1)


def _upright(mask_01: np.ndarray) -> np.ndarray:
    """2x3 affine, pixel of the upright square -> pixel of the photograph (main axis horizontal)."""
    points = np.argwhere(mask_01)[:, ::-1].astype(np.float64)
    main = Axes.of_points(points)
    middle, axes = main.centre, main.vectors.T
    along = (points - middle) @ axes
    low, high = along.min(axis=0) - 0.5, along.max(axis=0) + 0.5
    scale = float((high - low).max()) * ROOM / SIDE
    affine = np.empty((2, 3))
    affine[:, :2] = axes * scale
    affine[:, 2] = middle + axes @ ((low + high) / 2 - scale * (SIDE - 1) / 2)
    return affine
