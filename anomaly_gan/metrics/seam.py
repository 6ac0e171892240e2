"""How hard the edge around a defect is: what a paste leaves behind, and a detector could learn in its place."""

from __future__ import annotations

import cv2
import numpy as np

RING_PX = (2, 3)
"""The ring of 5 px across the outline: pixels up to so far inside the mask, and up to so far outside."""
AROUND_PX = 8
"""The surroundings it is compared with reach from the ring to this distance outside."""
LEAST_LEVELS = 1.0
"""Grey levels below which the surroundings count as flat."""


def seam_score(pixels: np.ndarray, mask_01: np.ndarray, others_01: np.ndarray | None = None) -> float | None:
    """Root mean square difference between neighbouring pixels in a ring of 5 px along the mask's outline, over the
    same in the surroundings: about 1 where texture simply goes on.

    Squares weigh a jump between two pixels more than the same change spread over several (a sum of differences
    across an edge is its height, however soft it is), so a hard paste scores above a feathered one. A real defect
    has an edge of its own: only the comparison with real defects under the same score says anything. The idea of
    looking at the paste's border alone is that of Cut, Paste and Learn (Dwibedi et al. 2017, section 5.2), where
    detectors learned that border; the ring of 5 px is DefectForge's.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        mask_01: the instance, (H, W).
        others_01: whatever else is labelled; it counts neither as ring nor as surroundings.

    Returns:
        The ratio, or None where the mask fills the photograph and leaves no surroundings.
    """
    inside = cv2.distanceTransform(_padded(mask_01 != 0), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outside = cv2.distanceTransform((mask_01 == 0).astype(np.uint8), cv2.DIST_L2, 5)
    free = np.ones(mask_01.shape, bool) if others_01 is None else (others_01 == 0) | (mask_01 != 0)
    at_border = _touches_border(mask_01.shape)
    ring = free & ~at_border & np.where(mask_01 != 0, inside <= RING_PX[0], outside <= RING_PX[1])
    around = free & ~at_border & (mask_01 == 0) & (outside > RING_PX[1]) & (outside <= AROUND_PX)
    if not (ring.any() and around.any()):
        return None
    energy = _difference_energy(pixels)
    return float(np.sqrt(energy[ring].mean()) / max(np.sqrt(energy[around].mean()), LEAST_LEVELS))


def _padded(mask: np.ndarray) -> np.ndarray:
    """A photograph's border is no outline: the mask goes on beyond it."""
    return np.pad(mask.astype(np.uint8), 1, mode="edge")


def _touches_border(shape: tuple[int, ...]) -> np.ndarray:
    border = np.zeros(shape, bool)
    border[[0, -1], :] = border[:, [0, -1]] = True
    return border


def _difference_energy(pixels: np.ndarray) -> np.ndarray:
    """(H, W): mean over channels of half the squared differences to the four neighbours, in grey levels squared."""
    wide = pixels.astype(np.float32).reshape(*pixels.shape[:2], -1)
    energy = np.zeros_like(wide)
    down, right = np.diff(wide, axis=0) ** 2 / 2, np.diff(wide, axis=1) ** 2 / 2
    energy[:-1] += down
    energy[1:] += down
    energy[:, :-1] += right
    energy[:, 1:] += right
    return energy.mean(axis=2)
