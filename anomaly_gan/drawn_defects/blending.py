"""Setting a patch into a photograph: hard, feathered or Poisson; bit for bit the photograph beyond the support."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.channels import over_channels
from ..core.images import to_mode
from ..core.masks import grow

SUPPORT_PX = {"hard": 0, "feather": 2, "poisson": 2}
"""How far beyond the mask (pixels, in x or y) each blend may change the photograph."""


def blend(base: np.ndarray, patch: np.ndarray, mask_01: np.ndarray, mode: str) -> np.ndarray:
    """``patch`` inside the mask, ``base`` elsewhere; all (H, W) or (H, W, 3) uint8 of one size.

    ``feather`` softens the rim over two pixels. ``poisson`` first shifts the patch, smoothly, to the photograph's
    level around it (Pérez et al. 2003, eq. 10: its gradients, the photograph's border), then feathers.
    """
    if mode == "hard":
        return np.where(over_channels(mask_01, base) != 0, patch, base)
    if mode == "poisson":
        patch = _poisson(base, patch, mask_01)
    # grown by one and averaged over radius one: 1 on the mask, falling to exactly 0 beyond the support
    soft = cv2.GaussianBlur(grow(mask_01, 1).astype(np.float32), (3, 3), 0, borderType=cv2.BORDER_REPLICATE)
    alpha = over_channels(soft, base)
    mixed = np.clip(np.rint(base * (1 - alpha) + patch * alpha), 0, 255).astype(np.uint8)
    return np.where(alpha > 0, mixed, base)


def _poisson(base: np.ndarray, patch: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """OpenCV's seamless cloning of the mask and its rim.

    OpenCV takes the patch's gradients only three pixels inside the mask it is given, so it gets one grown by more:
    with less, the step at a defect's edge is lost and small defects fade away. A frame gives masks at the
    photograph's border something to hold on to.
    """
    edge, wider = 10, 6
    framed_base, framed_patch = (
        _three(cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REFLECT_101)) for image in (base, patch)
    )
    framed = cv2.copyMakeBorder(mask_01, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    framed = grow(framed, wider) * np.uint8(255)
    x, y, width, height = cv2.boundingRect(framed)
    # OpenCV puts the mask's box around the centre by whole halves: this centre moves nothing
    done = cv2.seamlessClone(framed_patch, framed_base, framed, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    done = done[edge:-edge, edge:-edge]
    return done if base.ndim == 3 else done[:, :, 0]


def _three(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(to_mode(image, "RGB"))
