"""Light on the relief: one key light with cast shadows, ambient light with occlusion, highlights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from surface import SIDE, Surface, smoothstep


@dataclass(frozen=True)
class Light:
    """``azimuth`` and ``elevation`` in radians; ``spot`` is the bright spot's centre in units, ``spread`` its size."""

    azimuth: float
    elevation: float
    key: float
    ambient: float
    spot: tuple[float, float]
    spread: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Light:
        return cls(
            rng.uniform(0, 2 * np.pi),
            np.radians(rng.uniform(30, 54)),
            rng.uniform(0.85, 1.25),
            rng.uniform(0.09, 0.24),
            (rng.uniform(120, 390), rng.uniform(120, 390)),
            rng.uniform(190, 420),
        )

    def again(self, rng: np.random.Generator) -> Light:
        """The same lamp on another day: a little brighter or darker, hardly moved."""
        return Light(
            self.azimuth + rng.normal(0, 0.12),
            self.elevation + rng.normal(0, 0.04),
            self.key * rng.uniform(0.8, 1.2),
            self.ambient * rng.uniform(0.8, 1.2),
            (self.spot[0] + rng.normal(0, 25), self.spot[1] + rng.normal(0, 25)),
            self.spread,
        )


def shade(surface: Surface, light: Light) -> np.ndarray:
    """Radiance (N, N) float32 of the lit relief, black 0, about 1 for white paper in full light."""
    height, scale = surface.height, np.float32(surface.scale)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125) * scale
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125) * scale
    norm = 1.0 / np.sqrt(slope_x**2 + slope_y**2 + 1.0)
    to_light = np.array(
        [
            np.cos(light.azimuth) * np.cos(light.elevation),
            np.sin(light.azimuth) * np.cos(light.elevation),
            np.sin(light.elevation),
        ],
        np.float32,
    )
    lambert = np.clip((to_light[2] - slope_x * to_light[0] - slope_y * to_light[1]) * norm, 0, 1)
    half = to_light + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    facing = np.clip((half[2] - slope_x * half[0] - slope_y * half[1]) * norm, 0, 1)
    lit = 1.0 - cast_shadow(surface, light)
    occlusion = ambient_occlusion(surface)
    distance2 = (surface.x - light.spot[0]) ** 2 + (surface.y - light.spot[1]) ** 2
    spot = (0.4 + 0.75 * np.exp(-distance2 / (2 * light.spread**2))) * np.clip(1 + height / 260, 0.35, 1.4)
    highlight = surface.gloss * (1.3 * facing**60 + 0.3 * facing**14)
    direct = light.key * spot * lit * (surface.albedo * lambert + highlight)
    return (direct + light.ambient * occlusion * (0.5 + 0.5 * spot) * surface.albedo).astype(np.float32)


def cast_shadow(surface: Surface, light: Light) -> np.ndarray:
    """Share of the key light kept off each pixel, 0..1, by marching towards the light over the relief."""
    blocked = np.zeros_like(surface.height)
    rise = np.tan(light.elevation)
    for reach in np.geomspace(1.2, 110.0, 30):
        shift = (reach * np.cos(light.azimuth) * surface.scale, reach * np.sin(light.azimuth) * surface.scale)
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        seen = cv2.warpAffine(
            surface.height,
            move,
            surface.height.shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        above = seen - surface.height - np.float32(reach * rise)
        np.maximum(blocked, above / np.float32(1.2 + 0.07 * reach), out=blocked)
    softened = cv2.GaussianBlur(smoothstep(blocked), (0, 0), max(0.6, 0.9 * surface.scale))
    return 0.94 * softened


def ambient_occlusion(surface: Surface) -> np.ndarray:
    """Share of the sky seen, 0.15..1: pixels lower than their surroundings see less of it."""
    seen = np.ones_like(surface.height)
    side = surface.height.shape[0]
    small = cv2.resize(surface.height, (256, 256), interpolation=cv2.INTER_AREA)
    for sigma, strength in ((2.5, 0.6), (8.0, 0.65), (24.0, 0.55)):
        around = cv2.GaussianBlur(small, (0, 0), sigma * 256 / SIDE)
        around = cv2.resize(around, (side, side), interpolation=cv2.INTER_LINEAR)
        seen -= np.float32(strength) * np.clip((around - surface.height) / np.float32(2.2 * sigma), 0, 1)
    return np.clip(seen, 0.15, 1.0)
