"""Age and clutter: stains, rust, scratches, splashes, and bright things that are no defects."""

from __future__ import annotations

import cv2
import numpy as np
from surface import SIDE, Surface, box_distance, octaves, smoothstep


def weather(surface: Surface, rng: np.random.Generator) -> None:
    """Dirt over everything, thicker in some scenes; oil and rust in patches; mud specks; scratches."""
    shape = surface.x.shape
    film = smoothstep(octaves(rng, shape, 4, 5), -0.5, 2.0) * rng.uniform(0.1, 0.6)
    surface.albedo *= (1 - film).astype(np.float32)
    surface.gloss *= (1 - 0.8 * film).astype(np.float32)
    for _ in range(rng.integers(0, 4)):
        _patch(surface, rng)
    if rng.random() < 0.6:
        dust = smoothstep(octaves(rng, shape, 6, 5), 0.4, 2.0) * rng.uniform(0.05, 0.25)
        surface.albedo += (dust * (0.42 - surface.albedo)).astype(np.float32)
        surface.gloss *= (1 - dust).astype(np.float32)
    _specks(surface, rng, int(rng.integers(0, 90)))
    for _ in range(rng.integers(0, 9)):
        _scratch(surface, rng)


def _patch(surface: Surface, rng: np.random.Generator) -> None:
    """One stain: dark and glossy (oil) or mid-gray and dull with a ragged rim (rust)."""
    part = surface.window(rng.uniform(40, 470), rng.uniform(40, 470), rng.uniform(25, 90))
    x, y = part.x - part.x.mean(), part.y - part.y.mean()
    inside = 1 - np.hypot(x / (np.ptp(part.x) / 2), y / (np.ptp(part.y) / 2)) + 0.3 * octaves(rng, x.shape, 4, 4)
    stain = smoothstep(inside, 0.25, 0.7)
    if rng.random() < 0.5:
        part.albedo *= (1 - 0.6 * stain).astype(np.float32)
        part.gloss += (0.25 * stain).astype(np.float32)
    else:
        tone = 0.2 * (1 + 0.4 * octaves(rng, x.shape, 12, 3))
        part.albedo += (0.7 * stain * (tone - part.albedo)).astype(np.float32)
        part.gloss *= (1 - 0.9 * stain).astype(np.float32)


def _specks(surface: Surface, rng: np.random.Generator, count: int) -> None:
    for _ in range(count):
        size = rng.uniform(0.8, 3.2)
        part = surface.window(rng.uniform(0, SIDE), rng.uniform(0, SIDE), size * 2 + 2)
        blob = np.hypot(part.x - part.x.mean(), part.y - part.y.mean()) < size
        part.albedo[blob] = 0.5 * part.albedo[blob] + rng.uniform(0.05, 0.25)
        part.height[blob] += 0.6


def _scratch(surface: Surface, rng: np.random.Generator) -> None:
    """A fine bright scratch through paint down to the metal."""
    start = rng.uniform(30, SIDE - 30, 2)
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 150)
    middle = start + 0.5 * length * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 5, 2)
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    drawn = np.zeros(surface.x.shape, np.uint8)
    points = np.round(np.stack([start, middle, end]) * surface.scale * 16).astype(np.int32)
    cv2.polylines(drawn, [points], False, 255, max(1, round(0.8 * surface.scale)), cv2.LINE_AA, 4)
    strength = drawn.astype(np.float32) / 255 * rng.uniform(0.25, 0.8)
    surface.albedo += strength * (rng.uniform(0.45, 0.75) - surface.albedo)
    surface.gloss += 0.3 * strength


def clutter(surface: Surface, rng: np.random.Generator) -> None:
    """Things an inspector knows to be sound: labels, stencilled marks, chalk, wet spots, capped holes."""
    for _ in range(rng.integers(0, 4)):
        kind = str(rng.choice(list(_CLUTTER), p=[0.28, 0.16, 0.14, 0.12, 0.15, 0.15]))
        place = (float(rng.uniform(100, 410)), float(rng.uniform(100, 410)))
        if kind in ("hole", "plug") and np.ptp(surface.window(*place, 26).height) > 5:
            kind = "label"  # holes and caps need sheet metal under them
        _CLUTTER[kind](surface, place, rng)


def _label(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """A printed type plate or warning sticker, straight on the surface: no height, hard edges."""
    half_w, half_h, turn = rng.uniform(16, 38), rng.uniform(9, 20), rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.03)
    part = surface.window(*place, half_w + 14)
    x, y = part.x - place[0], part.y - place[1]
    x, y = np.cos(turn) * x + np.sin(turn) * y, -np.sin(turn) * x + np.cos(turn) * y
    edge = box_distance(x, y, half_w, half_h, 2)
    pitch = rng.uniform(4.5, 7)
    words = np.sin(x * 0.8 + np.floor(y / pitch) * 2.1) + np.sin(x * 0.31) > -0.6
    printed = ((y / pitch) % 1 < 0.5) & words & (edge > 3)
    tone = np.where(printed, 0.2, rng.uniform(0.42, 0.97)) * (1 - 0.4 * smoothstep(octaves(rng, x.shape, 6, 4), 0, 2))
    part.put(edge > 0, part.height + 0.25, tone, 0.25, over=False)


def _stencil(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """Painted characters, partly worn off."""
    drawn = np.zeros(surface.x.shape, np.uint8)
    text = "".join(rng.choice(list("ABCDEHKLMTXZ0123456789"), int(rng.integers(2, 6))))
    size = rng.uniform(0.7, 1.5) * surface.scale
    origin = (round((place[0] - 35) * surface.scale), round(place[1] * surface.scale))
    cv2.putText(drawn, text, origin, cv2.FONT_HERSHEY_SIMPLEX, size, 255, max(1, round(3 * size)), cv2.LINE_AA)
    if rng.random() < 0.5:
        drawn = np.ascontiguousarray(np.rot90(drawn))
    left = smoothstep(1.0 - octaves(rng, drawn.shape, 24, 3), -0.4, 0.6)
    surface.albedo += drawn.astype(np.float32) / 255 * left * (rng.uniform(0.4, 0.85) - surface.albedo)


def _chalk(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """A hand-drawn bright tick, circle or line."""
    turn = np.linspace(0, rng.uniform(2.5, 6.6), 40)
    reach = rng.uniform(14, 34) * (1 + 0.12 * np.sin(2 * turn + 1))
    points = np.stack([place[0] + reach * np.cos(turn), place[1] + reach * np.sin(turn) * rng.uniform(0.3, 1)], 1)
    drawn = np.zeros(surface.x.shape, np.uint8)
    cv2.polylines(
        drawn,
        [np.round(points * surface.scale * 16).astype(np.int32)],
        False,
        255,
        max(1, round(2.6 * surface.scale)),
        cv2.LINE_AA,
        4,
    )
    left = smoothstep(octaves(rng, drawn.shape, 60, 2), -1.0, 1.0)
    surface.albedo += drawn.astype(np.float32) / 255 * left * (rng.uniform(0.5, 0.85) - surface.albedo)


def _gloss(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """A wet or polished spot that throws the lamp back."""
    part = surface.window(*place, rng.uniform(20, 50))
    x, y = part.x - place[0], part.y - place[1]
    near = smoothstep(1 - np.hypot(x, y) / (np.ptp(part.x) / 2) + 0.3 * octaves(rng, x.shape, 4, 3), 0.1, 0.7)
    part.gloss += (near * rng.uniform(0.8, 2.2)).astype(np.float32)
    part.albedo += (0.25 * near * rng.uniform(0, 1)).astype(np.float32)


def _hole(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """A plain drain hole or slot: smooth rim, no seat, no thread."""
    radius, long = rng.uniform(5, 11), rng.uniform(0, 12) * (rng.random() < 0.6)
    part = surface.window(*place, radius + long + 6)
    edge = box_distance(part.x - place[0], part.y - place[1], radius + long, radius, radius)
    rim = smoothstep(2.2 - np.abs(edge + 0.5), 0, 2)
    part.albedo *= (1 + 0.4 * rim).astype(np.float32)
    part.height -= (30 * smoothstep(edge, -0.5, 2.5)).astype(np.float32)
    part.albedo *= (1 - 0.8 * smoothstep(edge, -0.5, 1.5)).astype(np.float32)


def _plug(surface: Surface, place: tuple[float, float], rng: np.random.Generator) -> None:
    """A round cap, smooth and domed, about as large as a bolt."""
    radius = rng.uniform(12, 24)
    part = surface.window(*place, radius + 4)
    distance = np.hypot(part.x - place[0], part.y - place[1])
    base = float(np.median(part.height))
    dome = base + 3 + rng.uniform(2, 9) * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
    part.put(distance < radius, dome, rng.uniform(0.15, 0.5), rng.uniform(0.2, 0.7), over=False)


_CLUTTER = {"label": _label, "stencil": _stencil, "chalk": _chalk, "gloss": _gloss, "hole": _hole, "plug": _plug}
