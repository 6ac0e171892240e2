"""Sound equipment: plates, boxes, pipes, cables, slats, straps, and the dark recess behind them."""

from __future__ import annotations

import cv2
import numpy as np
from surface import SIDE, Surface, box_distance, octaves, smoothstep


def recess(surface: Surface, rng: np.random.Generator, depth: float) -> None:
    """Fill the canvas with the dark space behind the equipment, with a few vague shapes in it."""
    shape = surface.x.shape
    surface.height[:] = -depth + 6 * octaves(rng, shape, 6, 3)
    surface.albedo[:] = np.clip(0.09 + 0.03 * octaves(rng, shape, 8, 4), 0.02, 0.2)
    surface.gloss[:] = 0.03
    for _ in range(rng.integers(3, 7)):
        plate(
            surface,
            rng,
            (rng.uniform(0, SIDE), rng.uniform(0, SIDE)),
            (rng.uniform(20, 120), rng.uniform(15, 80)),
            -depth + rng.uniform(6, 24),
            albedo=rng.uniform(0.06, 0.14),
        )


def steel(rng: np.random.Generator, shape: tuple[int, int], albedo: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Painted or bare sheet: (albedo, gloss, bump in units), each of ``shape``."""
    grime = octaves(rng, shape, 5, 5)
    stretch = (6.0, 1.0) if rng.random() < 0.5 else (1.0, 6.0)
    brushed = octaves(rng, shape, 48, 2, stretch=stretch)
    grain = octaves(rng, shape, 120, 2)
    polish = rng.uniform(0.0, 0.035)
    tone = albedo * (1 + 0.16 * grime + polish * brushed + 0.07 * grain)
    gloss = np.clip(0.16 + 2 * polish * brushed - 0.06 * grime, 0.01, 0.6)
    return np.clip(tone, 0.02, 0.9), gloss, 0.10 * grain + polish * brushed


def plate(
    surface: Surface,
    rng: np.random.Generator,
    centre: tuple[float, float],
    half: tuple[float, float],
    top: float,
    *,
    albedo: float,
    corner: float = 4.0,
    bevel: float = 3.0,
    angle: float = 0.0,
) -> np.ndarray:
    """A plate or box lid with bevelled edges at height ``top``; returns the signed distance to its edge (units)."""
    x, y = surface.x - centre[0], surface.y - centre[1]
    x, y = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    edge = box_distance(x, y, half[0], half[1], min(corner, *half))
    tone, gloss, bump = steel(rng, x.shape, albedo)
    rubbed = smoothstep(3.0 - np.abs(edge - 1.5), 0, 3) * smoothstep(octaves(rng, x.shape, 18, 3), 0.2, 1.6)
    height = top - bevel * (1 - smoothstep(edge, 0, bevel)) + bump
    surface.put(edge > 0, height, tone * (1 + 0.9 * rubbed), gloss + 0.25 * rubbed, over=True)
    return edge


def groove(surface: Surface, start: tuple[float, float], end: tuple[float, float], width: float, depth: float) -> None:
    """Cut a straight dark gap between two points into what is there."""
    distance, _ = _segment(surface, start, end)
    cut = smoothstep(width / 2 - distance, -0.8, 0.8)
    surface.height -= (depth * cut).astype(np.float32)
    surface.albedo *= (1 - 0.6 * cut).astype(np.float32)


def _segment(surface: Surface, start: tuple[float, float], end: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((surface.x - start[0]) * dx + (surface.y - start[1]) * dy) / (dx * dx + dy * dy)
    held = np.clip(along, 0, 1)
    return np.hypot(surface.x - start[0] - held * dx, surface.y - start[1] - held * dy), along


def pipe(
    surface: Surface,
    rng: np.random.Generator,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    axis_height: float,
    albedo: float,
) -> None:
    """A straight round pipe between two points, with couplings here and there."""
    distance, along = _segment(surface, start, end)
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    swell = np.zeros_like(distance)
    for place in rng.uniform(0.1, 0.9, rng.integers(0, 3)):
        swell = np.maximum(swell, (np.abs(along - place) * length < radius * 0.7) * min(3.5, radius * 0.25))
    reach = radius + swell
    height = axis_height + np.sqrt(np.clip(reach**2 - distance**2, 0, None))
    tone, gloss, bump = steel(rng, distance.shape, albedo)
    surface.put(distance < reach, height + bump, tone, gloss + 0.25, over=True)


def cable(
    surface: Surface,
    rng: np.random.Generator,
    points: np.ndarray,
    radius: float,
    albedo: float,
    ribbed: bool,
    clearance: float = 3.0,
) -> np.ndarray:
    """A cable or corrugated hose through control points (K, 2), lying over what is there; returns where it shows."""
    line = spline(points)
    side = surface.x.shape[0]
    drawn = np.full((side, side), 255, np.uint8)
    cv2.polylines(drawn, [np.round(line * surface.scale * 16).astype(np.int32)], False, 0, 1, cv2.LINE_8, 4)
    distance, labels = cv2.distanceTransformWithLabels(drawn, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    distance /= surface.scale
    under = cv2.GaussianBlur(cv2.dilate(surface.height, np.ones((5, 5))), (0, 0), 7 * surface.scale)
    profile = np.sqrt(np.clip(radius**2 - distance**2, 0, None))
    if ribbed:
        walk = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        along = _nearest_walk(labels, drawn, line, walk, surface.scale)
        profile = profile * (1 + 0.16 * np.sin(along * 1.1))
    tone = albedo * (1 + 0.12 * octaves(rng, distance.shape, 12, 3))
    return surface.put(distance < radius, under + clearance + profile, tone, 0.3, over=False)


def _nearest_walk(
    labels: np.ndarray, drawn: np.ndarray, line: np.ndarray, walk: np.ndarray, scale: float
) -> np.ndarray:
    """Length along ``line`` (units) at each pixel's nearest point of the drawn line."""
    rows, columns = np.nonzero(drawn == 0)
    pixels = np.stack([columns + 0.5, rows + 0.5], 1) / scale
    nearest = np.argmin(((pixels[:, None] - line[None]) ** 2).sum(-1), axis=1)
    table = np.zeros(int(labels.max()) + 1, np.float32)
    table[labels[rows, columns]] = walk[nearest]
    return cv2.GaussianBlur(table[labels], (0, 0), max(0.8, scale))


def spline(points: np.ndarray, steps: int = 240) -> np.ndarray:
    """A smooth line (steps, 2) through control points (K, 2), Catmull-Rom."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, len(points) - 1 - 1e-6, steps)
    k, f = t.astype(int), (t % 1.0)[:, None]
    a, b, c, d = (padded[k + shift] for shift in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def slats(
    surface: Surface,
    rng: np.random.Generator,
    centre: tuple[float, float],
    half: tuple[float, float],
    top: float,
    albedo: float,
) -> None:
    """A ventilation grille: an opening with slanted slats across it."""
    x, y = surface.x - centre[0], surface.y - centre[1]
    edge = box_distance(x, y, half[0], half[1], 6)
    pitch = rng.uniform(15, 26)
    phase = ((y + half[1]) / pitch) % 1.0
    blade = top - 18 * phase - 26 * (phase > 0.62)
    tone, gloss, bump = steel(rng, x.shape, albedo)
    surface.put(edge > 0, blade + bump, np.where(phase > 0.62, 0.05, tone), gloss, over=False)


def drum(surface: Surface, rng: np.random.Generator, y: float, radius: float, top: float, albedo: float) -> None:
    """A large round reservoir lying across the canvas, its axis along x."""
    across = surface.y - y
    round_top = top - radius + np.sqrt(np.clip(radius**2 - across**2, 0, None))
    tone, gloss, bump = steel(rng, across.shape, albedo)
    surface.put(np.abs(across) < radius, round_top + bump, tone, gloss + 0.12, over=True)


def strap(surface: Surface, x: float, y: float, half_width: float, reach: float, rise: float, albedo: float) -> None:
    """A steel band at ``x`` over what is there between y - reach and y + reach."""
    edge = box_distance(surface.x - x, surface.y - y, half_width, reach, 1.5)
    band = surface.height + rise * smoothstep(edge, 0, 1.5)
    surface.put(edge > 0, band, albedo, 0.4, over=True)
