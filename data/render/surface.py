"""The scene as a relief: height, albedo and gloss over a square canvas, seen from straight above.

Lengths are in units, 512 of them to the side of the canvas whatever its pixel size, so that a scene is the same
scene at every resolution. Height is in the same units, towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 512.0


def smoothstep(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between; same shape as ``values``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def octaves(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cells: float,
    levels: int = 4,
    gain: float = 0.55,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Multi-octave value noise (H, W), zero mean, about unit deviation; ``cells`` lattice cells on the long side.

    The draws do not depend on ``shape``, only the resolution does. ``stretch`` divides the cells along x, y.
    """
    total = np.zeros(shape, np.float32)
    for level in range(levels):
        count = cells * 2.0**level
        lattice = rng.standard_normal((max(2, round(count / stretch[1])) + 1, max(2, round(count / stretch[0])) + 1))
        total += gain**level * cv2.resize(lattice.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total / np.float32(np.sqrt(sum(gain ** (2 * level) for level in range(levels))) * 0.75)


def box_distance(x: np.ndarray, y: np.ndarray, half_w: float, half_h: float, corner: float = 0.0) -> np.ndarray:
    """Signed distance to a centred, rounded rectangle; positive inside, in the units of x and y."""
    dx, dy = np.abs(x) - (half_w - corner), np.abs(y) - (half_h - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return corner - outside - np.minimum(np.maximum(dx, dy), 0)


def hexagon_distance(x: np.ndarray, y: np.ndarray, inner: float, angle: float) -> np.ndarray:
    """Distance inside a regular hexagon of in-radius ``inner`` turned by ``angle`` radians; positive inside."""
    sides = [np.cos(angle + k * np.pi / 3) * x + np.sin(angle + k * np.pi / 3) * y for k in range(3)]
    return inner - np.max(np.abs(sides), axis=0)


@dataclass
class Surface:
    """Layers of the relief, each (N, N) float32: ``height`` in units, ``albedo`` and ``gloss`` in 0..1.

    ``x`` and ``y`` hold the coordinates of the pixel centres in units.
    """

    x: np.ndarray
    y: np.ndarray
    height: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray

    @classmethod
    def blank(cls, pixels: int) -> Surface:
        axis = (np.arange(pixels, dtype=np.float32) + 0.5) * np.float32(SIDE / pixels)
        x, y = np.meshgrid(axis, axis)
        return cls(x, y, np.zeros_like(x), np.full_like(x, 0.2), np.full_like(x, 0.1))

    @property
    def scale(self) -> float:
        """Canvas pixels to the unit."""
        return 1.0 / float(self.x[0, 1] - self.x[0, 0])

    def window(self, x: float, y: float, radius: float) -> Surface:
        """The part within ``radius`` of (x, y), as views: what is put there is put into the whole."""
        low_x, high_x = (int(np.clip((x + side * radius) * self.scale, 0, self.x.shape[1])) for side in (-1, 1))
        low_y, high_y = (int(np.clip((y + side * radius) * self.scale, 0, self.x.shape[0])) for side in (-1, 1))
        cut = np.s_[low_y : max(high_y, low_y + 2), low_x : max(high_x, low_x + 2)]
        return Surface(self.x[cut], self.y[cut], self.height[cut], self.albedo[cut], self.gloss[cut])

    def put(
        self,
        inside: np.ndarray,
        height: np.ndarray | float,
        albedo: np.ndarray | float,
        gloss: np.ndarray | float,
        over: bool = True,
    ) -> np.ndarray:
        """Place material where ``inside`` (bool, N x N); with ``over`` only where it is above what is there.

        Returns the bool map of pixels that took the material.
        """
        height = np.broadcast_to(np.asarray(height, np.float32), self.height.shape)
        taken = inside & (height > self.height) if over else inside
        self.height[taken] = height[taken]
        self.albedo[taken] = np.broadcast_to(np.asarray(albedo, np.float32), self.height.shape)[taken]
        self.gloss[taken] = np.broadcast_to(np.asarray(gloss, np.float32), self.height.shape)[taken]
        return taken
