"""Hexagonal bolts in their seats, and the two ways in which one fails.

``screws_A``: the bolt is gone, an empty threaded hole with the worn seat ring is left.
``screws_B``: the bolt has worked loose, its head stands out, turned and tilted, the thread shows.
Both have one fixed round shape: the seat's disc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from surface import Surface, hexagon_distance, octaves, smoothstep

SEAT = 1.42  # radius of the washer in head radii


@dataclass(frozen=True)
class Style:
    """What all bolts of one scene share; ``radius`` is the head's in-radius in units."""

    radius: float
    head: float
    albedo: float
    gloss: float
    paint: float | None  # albedo of the witness stripe across head and plate; None: unpainted
    rusty: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Style:
        paint = rng.uniform(0.5, 0.95) if rng.random() < 0.5 else None
        return cls(
            rng.uniform(15, 21),
            rng.uniform(8, 12),
            rng.uniform(0.13, 0.34),
            rng.uniform(0.25, 0.6),
            paint,
            rng.uniform(0, 1),
        )


@dataclass(frozen=True)
class Bolt:
    """One bolt at (x, y) in units, head turned by ``angle`` radians."""

    x: float
    y: float
    angle: float

    def seat(self, style: Style) -> float:
        """Radius of the seat in units: the round shape that a screw defect has."""
        return SEAT * style.radius


def row(start: tuple[float, float], end: tuple[float, float], pitch: float, angle: float) -> list[Bolt]:
    """Evenly spaced bolts from ``start`` to ``end`` (units), about ``pitch`` apart."""
    count = max(2, round(np.hypot(end[0] - start[0], end[1] - start[1]) / pitch) + 1)
    return [
        Bolt(float(x), float(y), angle)
        for x, y in zip(np.linspace(start[0], end[0], count), np.linspace(start[1], end[1], count), strict=True)
    ]


def _local(surface: Surface, bolt: Bolt, reach: float) -> tuple[Surface, np.ndarray, np.ndarray, np.ndarray, float]:
    part = surface.window(bolt.x, bolt.y, reach)
    x, y = part.x - bolt.x, part.y - bolt.y
    distance = np.hypot(x, y)
    return part, x, y, distance, float(np.median(part.height[distance < reach]))


def _seat(part: Surface, distance: np.ndarray, base: float, seat: float, albedo: float, gloss: float) -> None:
    profile = base + 2.2 * smoothstep(seat - distance, 0, 1.6)
    part.put(distance < seat, profile, albedo, gloss, over=False)


def fasten(surface: Surface, bolt: Bolt, style: Style, rng: np.random.Generator) -> None:
    """Put a sound bolt: washer, hexagonal head with chamfer, and the unbroken witness stripe if painted."""
    radius, seat = style.radius, bolt.seat(style)
    part, x, y, distance, base = _local(surface, bolt, seat * 1.3)
    tone = style.albedo * rng.uniform(0.82, 1.15)
    _seat(part, distance, base, seat, tone * 0.62, style.gloss * 0.4)
    _head(part, x, y, distance, base + 2.2, radius, style.head, bolt.angle + rng.normal(0, 0.04), tone, style, rng)
    if style.paint is not None:
        _stripe(part, x, y, seat * 1.25, bolt.angle + rng.normal(0, 0.05), style.paint, rng)


def _head(
    part: Surface,
    x: np.ndarray,
    y: np.ndarray,
    distance: np.ndarray,
    base: float,
    radius: float,
    tall: float,
    angle: float,
    tone: float,
    style: Style,
    rng: np.random.Generator,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> None:
    inside = hexagon_distance(x, y, radius, angle)
    dome = np.clip((distance - radius * 0.94) / (radius * 0.16), 0, None) * 1.6
    top = base + tall - dome + tilt[0] * x + tilt[1] * y
    top = top - 0.8 * smoothstep(radius * 0.55 - distance, 0, 2.0)  # the forged dish on top
    top = base + (top - base) * smoothstep(inside, -0.4, 1.1)
    rust = np.clip(octaves(rng, x.shape, 5, 3) * 0.5 + style.rusty - 0.3, 0, 1)
    albedo = tone * (1 - 0.35 * rust) * (1 + 0.07 * octaves(rng, x.shape, 12, 2))
    part.put(inside > 0, top, albedo, style.gloss * (1 - 0.7 * rust), over=True)


def _stripe(
    part: Surface,
    x: np.ndarray,
    y: np.ndarray,
    reach: float,
    angle: float,
    albedo: float,
    rng: np.random.Generator,
    start: float = 0.0,
) -> None:
    """Witness paint from ``start`` to ``reach`` along ``angle``: paint has albedo, no height."""
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    width = 2.1 + 0.5 * octaves(rng, x.shape, 4, 2)
    worn = octaves(rng, x.shape, 14, 2) < 1.3
    painted = (np.abs(across) < width) & (along > start) & (along < reach) & worn
    part.albedo[painted] = albedo
    part.gloss[painted] *= 0.3


def lose(surface: Surface, bolt: Bolt, style: Style, rng: np.random.Generator) -> tuple[float, float]:
    """screws_A: an empty hole in a seat worn bright, thread at its rim, rust crept outwards.

    Returns the middle (x, y) of the seat, in units.
    """
    radius, seat = style.radius, bolt.seat(style)
    part, x, y, distance, base = _local(surface, bolt, seat * 1.5)
    creep = smoothstep(seat * 1.45 - distance + 5 * octaves(rng, x.shape, 5, 3), 0, seat * 0.5)
    part.albedo *= (1 - 0.4 * creep * rng.uniform(0.4, 1.0)).astype(np.float32)
    bright, hole = rng.uniform(0.14, 0.55), radius * rng.uniform(0.5, 0.62)
    rings = 0.16 * np.sin(distance * 2.4 + octaves(rng, x.shape, 4, 2))
    worn = bright * (1 + rings + 0.18 * octaves(rng, x.shape, 9, 3))
    worn = np.where(distance > radius * 1.02, worn * rng.uniform(0.45, 0.8), worn)  # where no head rubbed
    inside = distance < seat
    part.put(inside, base + 1.6 * smoothstep(seat - distance, 0, 1.6), np.clip(worn, 0.05, 0.9), 0.3, over=False)
    thread = 1.5 * np.sin(distance * 3.0)
    depth = base - 26 * smoothstep(hole - distance, 0, hole * 0.35) + thread * (distance > hole * 0.6)
    part.put(distance < hole, depth, np.where(distance > hole * 0.78, 0.3, 0.03), 0.15, over=False)
    if style.paint is not None:  # the plate's half of the stripe has stayed
        _stripe(part, x, y, seat * 1.25, bolt.angle, style.paint, rng, start=radius * 1.1)
    return bolt.x, bolt.y


def loosen(surface: Surface, bolt: Bolt, style: Style, rng: np.random.Generator) -> tuple[float, float]:
    """screws_B: the head stands clear of its seat, turned and tilted; seat and thread show bright beside it.

    Returns the middle (x, y) between seat and head, in units.
    """
    radius, seat = style.radius, bolt.seat(style)
    part, x, y, distance, base = _local(surface, bolt, seat * 1.5)
    rubbed = rng.uniform(0.16, 0.62) * (1 + 0.2 * octaves(rng, x.shape, 9, 3))
    part.put(distance < seat, base + 1.6 * smoothstep(seat - distance, 0, 1.6), rubbed, 0.35, over=False)
    way = rng.uniform(0, 2 * np.pi)
    lean = radius * rng.uniform(0.2, 0.5)
    for step in np.linspace(0.15, 0.85, 10):  # the bare shank, ring by ring
        ring = np.hypot(x - np.cos(way) * lean * step, y - np.sin(way) * lean * step)
        part.put(ring < radius * 0.66, base + 2 + 17 * step, 0.3 + 0.4 * (round(step * 14) % 2), 0.6, over=True)
    off_x, off_y = x - np.cos(way) * lean, y - np.sin(way) * lean
    turn = bolt.angle + rng.choice([-1, 1]) * rng.uniform(0.26, 0.8)
    tilt = (np.cos(way) * -0.4 * rng.uniform(0.5, 1.2), np.sin(way) * -0.4 * rng.uniform(0.5, 1.2))
    _head(
        part,
        off_x,
        off_y,
        np.hypot(off_x, off_y),
        base + rng.uniform(15, 24),
        radius * 1.05,
        style.head,
        turn,
        style.albedo * rng.uniform(0.9, 1.3),
        style,
        rng,
        tilt,
    )
    if style.paint is not None:
        _stripe(part, x, y, seat * 1.25, bolt.angle, style.paint, rng, start=seat * 0.98)
        _stripe(part, off_x, off_y, radius * 0.95, turn, style.paint, rng)
    return bolt.x + np.cos(way) * lean / 2, bolt.y + np.sin(way) * lean / 2
