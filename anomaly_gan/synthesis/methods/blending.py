"""Setting a patch into a photograph: hard, feathered or Poisson; bit for bit the photograph beyond the support."""

from __future__ import annotations

import cv2
import numpy as np

from ..support import grow

SUPPORT_PX = {"hard": 0, "feather": 2, "poisson": 2}
"""How far beyond the mask (pixels, in x or y) each blend may change the photograph."""


def blend(base: np.ndarray, patch: np.ndarray, mask_01: np.ndarray, mode: str) -> np.ndarray:
    """``patch`` inside the mask, ``base`` elsewhere; all (H, W) or (H, W, 3) uint8 of one size.

    ``poisson`` keeps the patch's gradients and the photograph's level at the rim (Pérez et al. 2003, eq. 10).
    """
    support = grow(mask_01, SUPPORT_PX[mode])
    if mode == "poisson":
        mixed = _poisson(base, patch, support)
    elif mode == "feather":
        # grown by one and averaged over radius one: 1 on the mask, falling to exactly 0 beyond the support
        alpha = cv2.GaussianBlur(grow(mask_01, 1).astype(np.float32), (3, 3), 0, borderType=cv2.BORDER_REPLICATE)
        alpha = alpha if base.ndim == 2 else alpha[:, :, None]
        mixed = np.clip(np.rint(base * (1 - alpha) + patch * alpha), 0, 255).astype(np.uint8)
    else:
        mixed = patch
    inside = (support if base.ndim == 2 else support[:, :, None]) != 0
    return np.where(inside, mixed, base)


def _poisson(base: np.ndarray, patch: np.ndarray, support: np.ndarray) -> np.ndarray:
    """OpenCV's seamless cloning, with a frame around so that a mask at the border has a rim to hold on to."""
    edge = 4
    framed_base, framed_patch = (_three(cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REFLECT_101))
                                 for image in (base, patch))
    framed = cv2.copyMakeBorder(support * np.uint8(255), edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    x, y, width, height = cv2.boundingRect(framed)
    # OpenCV puts the mask's box around the centre by whole halves: this centre moves nothing
    done = cv2.seamlessClone(framed_patch, framed_base, framed, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    done = done[edge:-edge, edge:-edge]
    return done if base.ndim == 3 else done[:, :, 0]


def _three(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2))


def light_change(source: np.ndarray, source_ring_01: np.ndarray, base: np.ndarray,
                 base_ring_01: np.ndarray) -> tuple[float, np.ndarray]:
    """Gain (one half to two) and shift (per channel, grey levels) that bring the first ring's mean to the second's.

    An exposure multiplies, so the gain goes first; nothing changes where a ring is empty.
    """
    if not (source_ring_01.any() and base_ring_01.any()):
        return 1.0, np.zeros(1 if source.ndim == 2 else 3)
    own = np.atleast_1d(source[source_ring_01 != 0].mean(axis=0))
    wanted = np.atleast_1d(base[base_ring_01 != 0].mean(axis=0))
    gain = float(np.clip(wanted.mean() / max(own.mean(), 1.0), 0.5, 2.0))
    return gain, wanted - own * gain


def relit(image: np.ndarray, gain: float, shift: np.ndarray) -> np.ndarray:
    """``image * gain + shift``, rounded and clipped to uint8."""
    lit = image.astype(np.float32) * gain + (shift[0] if image.ndim == 2 else shift)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def ring(mask_01: np.ndarray, avoid_01: np.ndarray | None = None, inner_px: int = 2, outer_px: int = 8) -> np.ndarray:
    """mask_01 of the surroundings between the two distances, without ``avoid_01``."""
    around = grow(mask_01, outer_px) - grow(mask_01, inner_px)
    return around if avoid_01 is None else (around * (grow(avoid_01, inner_px) == 0)).astype(np.uint8)
