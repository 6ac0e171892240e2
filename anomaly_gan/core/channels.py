"""Planes of grey pictures (H, W) and of coloured ones (H, W, 3) in one form, so that no caller asks which it has."""

from __future__ import annotations

import numpy as np


def one_channel(plane: np.ndarray) -> np.ndarray:
    """(H, W): a grey plane as it is, of a coloured one the mean over its channels."""
    return plane if plane.ndim == 2 else plane.mean(axis=2)


def strongest_channel(plane: np.ndarray) -> np.ndarray:
    """(H, W): a grey plane as it is, of a coloured one the highest of its channels."""
    return plane if plane.ndim == 2 else plane.max(axis=2)


def over_channels(plane_HW: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A plane in the form in which it multiplies ``pixels``: (H, W), or (H, W, 1) where they are coloured."""
    return plane_HW if pixels.ndim == 2 else plane_HW[:, :, None]


def change_of(pixels: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(H, W) int16: by how many grey levels two pictures differ, in the most changed channel."""
    return strongest_channel(np.abs(pixels.astype(np.int16) - base.astype(np.int16)))


def channels_first(pixels: np.ndarray) -> np.ndarray:
    """(1, H, W) or (3, H, W), as networks read pictures."""
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def three_channels_first(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W): a grey picture three times."""
    return np.repeat(pixels[None], 3, axis=0) if pixels.ndim == 2 else channels_first(pixels)
