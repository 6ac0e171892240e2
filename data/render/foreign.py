"""Foreign objects caught in the equipment: strips of cloth and scraps of paper.

Each function lays one object over a surface and returns its silhouette (bool, N x N).
"""

from __future__ import annotations

import cv2
import numpy as np
from surface import SIDE, Surface, octaves, smoothstep


def drape(surface: Surface, slack: float) -> np.ndarray:
    """Height (N, N) at which something soft comes to rest: over the tops, sagging between them."""
    small = cv2.resize(surface.height, (128, 128), interpolation=cv2.INTER_AREA)
    size = 2 * max(1, round(slack * 0.5 * 128 / SIDE)) + 1
    tops = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    rest = cv2.GaussianBlur(tops, (0, 0), slack * 128 / SIDE)
    return cv2.resize(np.maximum(rest, 0.5 * (rest + tops)), surface.height.shape[::-1], interpolation=cv2.INTER_CUBIC)


def _spine(rng: np.random.Generator, start: tuple[float, float], length: float) -> np.ndarray:
    """Points (200, 2) in units along a lazily bending line around ``start``."""
    steps = 200
    bend = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, 7), rng.normal(0, 0.020, 7))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    line = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * length / steps, axis=0)
    return line - line[steps // 2] + np.array(start)


def _along_and_across(surface: Surface, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of every pixel beside a line: t in 0..1 along it, signed distance in units across it."""
    side = surface.x.shape[0]
    grid = np.full((side, side), 255, np.uint8)
    dense = np.stack([np.interp(np.linspace(0, 199, 2000), np.arange(200), line[:, k]) for k in (0, 1)], 1)
    columns, rows = np.clip((dense * surface.scale).astype(int), 0, side - 1).T
    grid[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(grid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(int(labels.max()) + 1, int)
    index[labels[rows, columns]] = np.arange(2000)
    nearest = index[labels]
    tangent = np.gradient(dense, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    to_x, to_y = surface.x - dense[nearest, 0], surface.y - dense[nearest, 1]
    across = tangent[nearest, 0] * to_y - tangent[nearest, 1] * to_x
    beyond = tangent[nearest, 0] * to_x + tangent[nearest, 1] * to_y
    spill = np.where(nearest == 0, -1.0, np.where(nearest == 1999, 1.0, 0.0)) * np.abs(beyond)
    length = float(np.sum(np.linalg.norm(np.diff(dense, axis=0), axis=1)))
    t = nearest / 1999.0 + spill / length
    smooth = max(1.0, 1.5 * surface.scale)
    return cv2.GaussianBlur(t.astype(np.float32), (0, 0), smooth), across.astype(np.float32)


def cloth_strip(surface: Surface, centre: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """A torn strip of cloth: long, wavy, folded lengthwise, frayed at the ends, with weave and perhaps a stripe."""
    length, width = rng.uniform(120, 290), rng.uniform(12, 28)
    t, across = _along_and_across(surface, _spine(rng, centre, length))
    knots = np.linspace(0, 1, 9)
    half = np.interp(t, knots, width * np.clip(rng.normal(1.0, 0.28, 9), 0.4, 1.6)).astype(np.float32)
    ragged = 1.6 * octaves(rng, t.shape, 40, 3)
    threads = np.sin(across * rng.uniform(1.1, 1.7) + 2 * octaves(rng, t.shape, 20, 2))
    frayed = 0.02 + 0.011 * threads + 0.016 * octaves(rng, t.shape, 30, 2)
    inside = (np.abs(across) < half + ragged) & (t > frayed) & (t < 1 - frayed[::-1, ::-1])
    inside = _largest(inside)
    share = across / half
    folds = np.zeros_like(t)
    for _ in range(rng.integers(3, 6)):
        phase = np.interp(t, knots, rng.normal(0, 1.1, 9)) + rng.uniform(0, 6)
        folds += rng.uniform(1.0, 2.6) * (1 - np.abs(np.sin(share * rng.uniform(1.2, 2.8) + phase)))
    crumple = 1.5 * octaves(rng, t.shape, 16, 3) + 1.6 * np.sin(t * length * rng.uniform(0.16, 0.3) + share * 2)
    lift = rng.uniform(2, 6) + 5 * np.abs(np.interp(t, knots, rng.normal(0, 1, 9)))
    rim = smoothstep(half + ragged - np.abs(across), 0, 3.5)
    height = drape(surface, 9) + lift + (folds * 1.9 + crumple) * rim
    weave = np.sin(t * length * 2.1) * np.sin(across * 2.1)
    albedo = rng.uniform(0.18, 0.8) * (1 + 0.05 * weave)
    if rng.random() < 0.35:
        albedo = albedo * np.where(np.abs(share - rng.uniform(-0.5, 0.5)) < 0.16, rng.uniform(0.35, 0.7), 1.0)
    soiled = smoothstep(octaves(rng, t.shape, 7, 4), 0.4, 2.2) * rng.uniform(0.2, 0.65)
    surface.put(inside, height, np.clip(albedo * (1 - soiled), 0.04, 0.95), 0.02, over=False)
    return inside


def paper_scrap(surface: Surface, centre: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """A crumpled scrap of paper: compact, angular, flat facets between sharp creases, bright, some of it printed."""
    radius = rng.uniform(34, 72)
    x, y = surface.x - centre[0], surface.y - centre[1]
    inside = _torn_outline(surface, centre, radius, rng)
    warp_x = x + 2.5 * octaves(rng, x.shape, 14, 2)
    warp_y = y + 2.5 * octaves(rng, x.shape, 14, 2)
    creases = np.zeros_like(x)
    for _ in range(rng.integers(11, 18)):  # a sum of folded planes is flat between its creases
        angle, place = rng.uniform(0, np.pi), rng.uniform(-0.75, 0.75) * radius
        creases += rng.normal(0, 0.24) * np.abs(np.cos(angle) * warp_x + np.sin(angle) * warp_y - place)
    creases = (creases - creases[inside].mean()) / creases[inside].std() * rng.uniform(3.5, 7.0)
    ridges = np.abs(octaves(rng, x.shape, 16, 2)) * rng.uniform(1.0, 2.6)  # the fine crumple within facets
    edge = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3) / surface.scale
    curl = rng.uniform(0, 7) * (np.cos(rng.uniform(0, 6.3)) * x + np.sin(rng.uniform(0, 6.3)) * y) / radius
    height = drape(surface, 10) + rng.uniform(4, 9) + np.clip(creases, -13, 22)
    height = height - ridges + curl + 1.2 * smoothstep(edge, 0, 3)
    albedo = np.full_like(x, rng.uniform(0.45, 0.97)) * (1 + 0.025 * octaves(rng, x.shape, 30, 3))
    if rng.random() < 0.4:
        albedo = albedo * _print(warp_x, warp_y, rng)
    soiled = smoothstep(octaves(rng, x.shape, 9, 4), 0.6, 2.4) * rng.uniform(0.1, 0.5)
    surface.put(inside, height, np.clip(albedo * (1 - soiled), 0.05, 0.98), 0.03, over=False)
    return inside


def _torn_outline(surface: Surface, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> np.ndarray:
    """An angular outline (bool, N x N): a few straight edges, one or two of them torn."""
    count = int(rng.integers(6, 11))
    turns = np.sort(rng.uniform(0, 2 * np.pi, count) * 0.35 + np.linspace(0, 2 * np.pi, count, endpoint=False) * 1.0)
    reach = radius * rng.uniform(0.62, 1.12, count) * np.array([1.0, rng.uniform(0.6, 1.0)])[:, None]
    tilt = rng.uniform(0, np.pi)
    px, py = reach[0] * np.cos(turns), reach[1] * np.sin(turns)
    corners = np.stack(
        [centre[0] + np.cos(tilt) * px - np.sin(tilt) * py, centre[1] + np.sin(tilt) * px + np.cos(tilt) * py], 1
    )
    filled = np.zeros(surface.x.shape, np.uint8)
    cv2.fillPoly(filled, [np.round(corners * surface.scale * 16).astype(np.int32)], 1, shift=4)
    signed = cv2.distanceTransform(filled, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - filled, cv2.DIST_L2, 3)
    ragged = 1.3 * octaves(rng, filled.shape, 34, 3) * smoothstep(octaves(rng, filled.shape, 5, 1), -0.4, 0.6)
    return _largest(signed / surface.scale + ragged > 0)


def _print(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Printed matter as a factor on the albedo: lines of 'words', or a block of colour."""
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    pitch = rng.uniform(5, 8)
    line = np.floor(across / pitch)
    words = np.sin(along * 0.9 + line * 2.3) + np.sin(along * 0.37 + line) > -0.5
    lines = ((across / pitch) % 1.0 < 0.5) & words
    block = across > rng.uniform(6, 30)
    return np.where(block, rng.uniform(0.5, 0.85), np.where(lines, 0.62, 1.0))


def _largest(inside: np.ndarray) -> np.ndarray:
    """The largest connected part of a bool map."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    return inside if count <= 2 else labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
