"""A training crop: where it lies, how it is turned and enlarged, and its light. Everything drawn from one stream."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .config import DenseConfig


@dataclass(frozen=True)
class Crop:
    """``pixels`` float32 (S, S) or (S, S, 3) in [0, 1]; ``truth`` uint8 (K, S, S); ``valid`` uint8 (S, S): 0 beyond
    the photograph's edge and in crowd regions."""

    pixels: np.ndarray
    truth: np.ndarray
    valid: np.ndarray
    prior: np.ndarray | None = None


def draw_crop(
    pixels: np.ndarray,
    truth: np.ndarray,
    target_yx: tuple[float, float] | None,
    config: DenseConfig,
    flip: bool,
    gamma: float,
    rng: np.random.Generator,
    prior: np.ndarray | None = None,
) -> Crop:
    """A crop of ``config.crop`` pixels that shows ``target_yx`` (None: any place) somewhere near its middle.

    ``truth`` is uint8 (K + 1, H, W), or (K + 1, 1, 1) where the photograph shows no defect. ``flip`` says whether
    mirroring, and with it turning, is allowed.

    Args:
        pixels: the photograph, uint8 (H, W) or (H, W, 3).
        truth: uint8 (K + 1, H, W); (K + 1, 1, 1) where the photograph shows no defect.
        target_yx: row and column that the crop shows; None: any place.
        config: the section of the configuration.
        flip: whether mirroring and turning are allowed.
        gamma: exponent of the brightness.
        rng: source of chance.
        prior: the one-class map, uint8 (H, W); None: none.

    Returns:
        Pixels, truth and prior of the crop.
    """
    matrix = _placement(pixels.shape[:2], target_yx, config, flip, rng)
    size = (config.crop, config.crop)
    seen = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    inside = np.ones(pixels.shape[:2], np.uint8)
    valid = cv2.warpAffine(inside, matrix, size, flags=cv2.INTER_NEAREST)
    layers = np.zeros((len(truth), *size), np.uint8)
    if truth.shape[1:] == pixels.shape[:2]:
        for number, layer in enumerate(truth):
            if layer.any():
                layers[number] = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_NEAREST)
    valid[layers[-1] == 1] = 0
    warped = None
    if prior is not None:
        warped = cv2.warpAffine(prior, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        warped = warped.astype(np.float32) / 255
    return Crop(relight(seen, config, gamma, rng), layers[:-1], valid, warped)


def _placement(
    shape_hw: tuple[int, ...],
    target_yx: tuple[float, float] | None,
    config: DenseConfig,
    flip: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """The affine map (2, 3) from the photograph to the crop."""
    enlarge = float(np.exp(rng.uniform(*np.log(config.scale))))
    angle = float(np.deg2rad(rng.uniform(-1, 1) * config.rotate)) if flip else 0.0
    mirror_x = -1.0 if rng.random() < 0.5 and flip else 1.0
    mirror_y = -1.0 if rng.random() < 0.5 and flip and config.upside_down else 1.0
    reach = config.crop / enlarge
    middle = []
    for side, target, jitter in zip(shape_hw, target_yx or (None, None), rng.uniform(-0.4, 0.4, 2), strict=True):
        wanted = rng.uniform(0, side) if target is None else target + jitter * reach
        middle.append(side / 2 if side <= reach else float(np.clip(wanted, reach / 2, side - reach / 2)))
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = enlarge * np.array([[mirror_x * cosine, -mirror_x * sine], [mirror_y * sine, mirror_y * cosine]])
    shift = config.crop / 2 - linear @ np.array([middle[1], middle[0]])
    return np.hstack([linear, shift[:, None]])


def relight(pixels: np.ndarray, config: DenseConfig, gamma: float, rng: np.random.Generator) -> np.ndarray:
    """float32 in [0, 1]: gamma, contrast and brightness, a blur for a quarter, noise for half of the crops."""
    exponent, factor = np.exp(rng.uniform(-1, 1, 2) * np.log1p([gamma, config.contrast]))
    shift = rng.uniform(-1, 1) * config.brightness
    table = (np.arange(256, dtype=np.float32) / 255) ** exponent
    value = table[pixels].astype(np.float32)
    middle = float(value.mean())
    value = (value - middle) * np.float32(factor) + np.float32(middle + shift)
    if rng.random() < 0.25 and config.blur:
        value = cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.3, max(0.31, config.blur))))
    if rng.random() < 0.5 and config.noise:
        spread = np.float32(rng.uniform(0, config.noise))
        value = value + spread * rng.standard_normal(value.shape, dtype=np.float32)
    return np.clip(value, 0, 1)
