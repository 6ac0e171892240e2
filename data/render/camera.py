"""The camera: pose, lens, exposure and sensor. Turns a lit relief into an 8-bit photograph with exact masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from light import shade
from scene import Scene
from surface import SIDE

VIEW = 400.0  # units across a photograph at zoom 1
SUPERSAMPLING = 2


@dataclass(frozen=True)
class Pose:
    """``matrix`` (3, 3) maps scene units to photograph pixels (x, y)."""

    matrix: np.ndarray
    size: int

    @classmethod
    def draw(cls, rng: np.random.Generator, size: int, quarter: int) -> Pose:
        """A view from nearly straight above: zoom, small roll, shift and tilt; ``quarter`` turns by 90 degrees."""
        half = VIEW / 2 / rng.uniform(0.92, 1.12)
        roll = quarter * np.pi / 2 + rng.normal(0, 0.03)
        middle = SIDE / 2 + rng.uniform(-9, 9, 2)
        corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        seen = corners @ turn.T + middle + rng.normal(0, 7, (4, 2))
        frame = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
        return cls(cv2.getPerspectiveTransform(seen.astype(np.float32), frame).astype(float), size)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (K, 2) in units to pixels (K, 2), pixel edges counted: the frame is [0, size]."""
        flat = np.concatenate([points, np.ones((len(points), 1))], 1) @ self.matrix.T
        return flat[:, :2] / flat[:, 2:]

    def warp(self, canvas: np.ndarray, times: int) -> np.ndarray:
        """Resample a canvas (N, N) to ``times`` the photograph's size, linear."""
        to_units = np.diag([SIDE / canvas.shape[0]] * 2 + [1.0]) @ _half_pixel(0.5)
        to_pixels = _half_pixel(-0.5) @ np.diag([times, times, 1.0]) @ self.matrix @ to_units
        side = self.size * times
        return cv2.warpPerspective(
            canvas, to_pixels, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def _half_pixel(shift: float) -> np.ndarray:
    return np.array([[1, 0, shift], [0, 1, shift], [0, 0, 1.0]])


@dataclass(frozen=True)
class Photograph:
    """``pixels`` (S, S) uint8 gray; ``masks`` one (S, S) uint8 of 0/1 for each defect seen; ``seats`` polygons
    (12, 2) in pixels round the sound bolts that lie wholly inside the frame."""

    pixels: np.ndarray
    masks: list[np.ndarray]
    seats: list[np.ndarray]


def photograph(scene: Scene, rng: np.random.Generator, size: int, quarter: int, again: bool = False) -> Photograph:
    """Take one photograph; ``again`` moves the lamp a little first, as on another day."""
    pose = Pose.draw(rng, size, quarter)
    radiance = shade(scene.surface, scene.light.again(rng) if again else scene.light)
    image = _lens(pose.warp(radiance, SUPERSAMPLING), rng, size)
    pixels = _sensor(image, rng)
    masks = [_mask(pose, inside) for inside in scene.instances]
    return Photograph(pixels, [mask for mask in masks if mask.sum() >= 12], _seats(scene, pose))


def _mask(pose: Pose, inside: np.ndarray) -> np.ndarray:
    """A defect's mask (S, S) of 0/1: pixels at least half covered.

    Parts of under a twentieth of the largest are dropped: a thread's end that the pixels cut off is no second defect.
    """
    warped = pose.warp(inside.astype(np.float32), SUPERSAMPLING)
    mask = (cv2.resize(warped, (pose.size, pose.size), interpolation=cv2.INTER_AREA) >= 0.5).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = area >= max(8, 0.05 * area[1:].max(initial=0))
    keep[0] = False
    return keep[labels].astype(np.uint8)


def _seats(scene: Scene, pose: Pose) -> list[np.ndarray]:
    turn = np.arange(12) * np.pi / 6
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    polygons = [pose.project(np.array([x, y]) + radius * circle) for x, y, radius in scene.seats]
    return [polygon for polygon in polygons if polygon.min() >= 1 and polygon.max() <= pose.size - 1]


def _lens(image: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """Defocus, motion and vignetting, then down to the photograph's size; still linear light."""
    sharp = rng.uniform(0.45, 1.0) * SUPERSAMPLING * size / 256
    image = cv2.GaussianBlur(image, (0, 0), sharp)
    if rng.random() < 0.35:
        length = max(3, round(rng.uniform(1.5, 4.0) * SUPERSAMPLING * size / 256))
        smear = np.zeros((length, length), np.float32)
        angle, middle = rng.uniform(0, np.pi), (length - 1) / 2
        ends = [
            (round(middle + side * middle * np.cos(angle)), round(middle + side * middle * np.sin(angle)))
            for side in (-1, 1)
        ]
        cv2.line(smear, ends[0], ends[1], 1.0, 1)
        image = cv2.filter2D(image, -1, smear / smear.sum())
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    off = axis[None] ** 2 + axis[:, None] ** 2
    return image * (1 - rng.uniform(0.05, 0.22) * off)


def _sensor(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, tone curve, shot and read noise, 8 bits."""
    exposure = rng.uniform(1.5, 2.4) * (0.11 / max(0.04, float(image.mean()))) ** 0.35
    exposed = 1 - np.exp(-exposure * np.clip(image, 0, None))
    noisy = exposed + rng.standard_normal(image.shape) * np.sqrt(2.0e-5 + rng.uniform(0.5, 1.6) * 2.2e-4 * exposed)
    return np.clip(np.round(255 * np.clip(noisy, 0, 1) ** (1 / 1.9)), 0, 255).astype(np.uint8)
