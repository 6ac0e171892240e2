"""Defects drawn by rule: scratch, pit, crack, stain, and a patch of other texture. No photograph of a defect is needed.

The patch is that of natural synthetic anomalies (Schlüter et al. 2022, arXiv 2109.15222): a piece of another sound
photograph, set in by Poisson blending. The others are our own drawings.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from .blending import blend

Drawing = tuple[np.ndarray, np.ndarray]
"""(alpha (H, W) float32 in [0, 1]: how much of the defect shows; its level (H, W) float32, as a factor of the
photograph's own)."""

SHOWN = 0.35
"""A pixel is labelled where at least so much of the defect shows."""
NAMED = {
    "crack": "crack",
    "scratch": "scratch",
    "hole": "pit",
    "pit": "pit",
    "pore": "pit",
    "stain": "stain",
    "spot": "stain",
}
EXTENT = (0.04, 0.35)
"""Length of a drawing, as a share of the photograph's shorter side, where no mask gives it."""
CONTRAST = (0.25, 0.75)
"""How much darker or brighter a defect is than what it lies on, as a share."""

WANDER, JAGGED = (0.03, 0.5), 0.15
"""By how many radians a crack turns every four pixels (standard deviation), and from how many on it branches."""


def kind_of(category: str, rng: np.random.Generator) -> str:
    """The kind that a category's name tells, or any."""
    told = [kind for word, kind in NAMED.items() if word in category.lower()]
    return told[0] if told else KINDS[int(rng.integers(len(KINDS)))]


def draw(
    kind: str, base: np.ndarray, other: np.ndarray, box_xywh: list[int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``base`` (uint8 (H, W) or (H, W, 3)) with a defect of that kind at about the box, and its mask_01 (H, W).

    ``other``: a sound photograph for the texture of a patch.
    """
    height, width = base.shape[:2]
    x, y, wide, high = box_xywh
    centre, extent = (
        np.array([x + wide / 2, y + high / 2]),
        float(np.clip(math.hypot(wide, high), 6, 0.8 * max(height, width))),
    )
    if kind == "patch":
        return _patch(base, other, centre, extent, rng)
    alpha, level = DRAWINGS[kind]((height, width), centre, extent, rng)
    gain, grain = 1 + alpha * (level - 1), alpha * rng.normal(0, 2.0, alpha.shape)
    near = alpha > 0.02
    if base.ndim == 3:
        gain, grain, near = gain[:, :, None], grain[:, :, None], near[:, :, None]
    drawn = (base.astype(np.float32) * gain + grain).round().clip(0, 255)
    return np.where(near, drawn, base).astype(np.uint8), (alpha >= SHOWN).astype(np.uint8)


def anywhere(shape: tuple[int, ...], rng: np.random.Generator) -> list[int]:
    side = min(shape[:2])
    length = side * float(np.exp(rng.uniform(*np.log(EXTENT))))
    x, y = (float(rng.uniform(0, room - length)) for room in (shape[1], shape[0]))
    return [round(x), round(y), max(4, round(length * 0.7)), max(4, round(length * 0.7))]


def _level(rng: np.random.Generator) -> float:
    """A factor: three in four defects are darker than what they lie on."""
    change = float(rng.uniform(*CONTRAST))
    return 1 - change if rng.random() < 0.75 else 1 + change


def _line(size_hw: tuple[int, int], points: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """(H, W) float32: a soft line through points (N, 2) (x, y), as wide as ``widths`` (N,) say, in pixels."""
    fine, plane = 4, np.zeros((size_hw[0] * 2, size_hw[1] * 2), np.uint8)
    for first, second, wide in zip(points[:-1], points[1:], widths[1:], strict=True):
        ends = [tuple(round(value * 2 * (1 << fine)) for value in point) for point in (first, second)]
        cv2.line(plane, ends[0], ends[1], 255, max(1, round(2 * wide)), cv2.LINE_AA, fine)
    half = cv2.resize(plane, size_hw[::-1], interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(half, (3, 3), 0.6).astype(np.float32) / 255


def _path(centre: np.ndarray, extent: float, wander: float, rng: np.random.Generator) -> np.ndarray:
    """Points of a way through ``centre`` that turns by ``wander`` radians (standard deviation) at every step."""
    steps = max(3, round(extent / 4))
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wander, steps))
    points: np.ndarray = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1) * extent / steps, 0)
    return np.asarray(points - points.mean(0) + centre)


def _scratch(size_hw: tuple[int, int], centre: np.ndarray, extent: float, rng: np.random.Generator) -> Drawing:
    """A thin, nearly straight line, half of the time with a rim of the other sign beside it: thrown-up material."""
    points = _path(centre, extent, 0.03, rng)
    widths = np.full(len(points), rng.uniform(0.8, 2.4)) * np.sin(np.linspace(0.35, np.pi - 0.35, len(points)))
    core, level = _line(size_hw, points, widths), _level(rng)
    rim = _line(size_hw, points + rng.choice([-1, 1]) * 1.5, widths) * (1 - core) * rng.integers(0, 2)
    plane = np.where(core >= rim, level, 2 - level).astype(np.float32)
    return np.maximum(core, 0.5 * rim), plane


def _crack(size_hw: tuple[int, int], centre: np.ndarray, extent: float, rng: np.random.Generator) -> Drawing:
    """A dark way of changing width, from a straight hairline to a jagged one with up to three branches."""
    wander = float(np.exp(rng.uniform(*np.log(WANDER))))
    points = _path(centre, extent, wander, rng)
    widths = rng.uniform(0.7, 2.8) * rng.uniform(0.5, 1.3, len(points))
    alpha = _line(size_hw, points, widths)
    for _ in range(int(rng.integers(0, 4)) if wander > JAGGED else 0):
        at = points[int(rng.integers(len(points)))]
        branch = _path(np.zeros(2), extent * rng.uniform(0.15, 0.4), wander, rng)
        alpha = np.maximum(alpha, _line(size_hw, branch - branch[0] + at, np.full(len(branch), 0.7 * widths.min())))
    return alpha, np.full(size_hw, 1 - rng.uniform(*CONTRAST), np.float32)


def _pit(size_hw: tuple[int, int], centre: np.ndarray, extent: float, rng: np.random.Generator) -> Drawing:
    """A hole with a ragged outline, its far wall lit."""
    alpha = cv2.GaussianBlur(_blob(size_hw, centre, min(extent, 40.0) / 2, 0.18, rng), (3, 3), 0.8)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]].astype(np.float32)
    angle, dark = rng.uniform(0, 2 * np.pi), 1 - rng.uniform(*CONTRAST)
    slope = ((x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)) / max(extent / 2, 1)
    return alpha, np.clip(dark + 0.3 * np.clip(slope, -1, 1), 0.1, 1.6).astype(np.float32)


def _stain(size_hw: tuple[int, int], centre: np.ndarray, extent: float, rng: np.random.Generator) -> Drawing:
    """A large soft spot, often darker at its edge, as where a liquid dried."""
    shape = _blob(size_hw, centre, extent / 2, 0.3, rng)
    soft = max(1.0, extent / 25)
    alpha = cv2.GaussianBlur(shape, (0, 0), soft)
    level = 1 + (_level(rng) - 1) * 0.6
    inner = cv2.GaussianBlur(shape, (0, 0), 3 * soft)
    edge = float(rng.uniform(0, 0.8))
    plane = 1 + (level - 1) * (1 - edge * np.clip(2 * inner - 1, 0, 1))
    return alpha, plane.astype(np.float32)


def _blob(
    size_hw: tuple[int, int], centre: np.ndarray, radius: float, rough: float, rng: np.random.Generator
) -> np.ndarray:
    """(H, W) float32 of 0 and 1: a closed outline whose radius wavers by ``rough``, stretched to one side."""
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    waver = sum(rng.normal(0, rough / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi)) for k in range(1, 7))
    radii = np.maximum(radius * (1 + waver), 1.2)
    stretch, turn = np.exp(rng.uniform(-0.5, 0.5)), rng.uniform(0, np.pi)
    points = np.stack([radii * np.cos(angles) * stretch, radii * np.sin(angles) / stretch], 1)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    outline = np.rint((points @ rotation.T + centre) * 16).astype(np.int32)
    plane = np.zeros(size_hw, np.uint8)
    cv2.fillPoly(plane, [outline], 1, cv2.LINE_8, 4)
    return plane.astype(np.float32)


def _patch(
    base: np.ndarray, other: np.ndarray, centre: np.ndarray, extent: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Texture of another sound photograph, turned and enlarged so that it cannot pass for this one's own."""
    mask = _blob(base.shape[:2], centre, extent / 2, 0.25, rng).astype(np.uint8)
    scale, turn = float(np.exp(rng.uniform(-0.7, 0.7))), float(rng.uniform(20, 160))
    there = rng.uniform(0.25, 0.75, 2) * other.shape[1::-1]
    affine = cv2.getRotationMatrix2D((float(there[0]), float(there[1])), turn, scale)
    affine[:, 2] = affine[:, 2] + centre - there
    moved = cv2.warpAffine(other, affine, base.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    contrast = float(np.exp(rng.uniform(-0.2, 0.9)))
    moved = np.clip(moved.mean() + contrast * (moved.astype(np.float32) - moved.mean()), 0, 255).astype(np.uint8)
    return (blend(base, moved, mask, "poisson"), mask) if mask.any() else (base, mask)


DRAWINGS: dict[str, Callable[..., Drawing]] = {"scratch": _scratch, "pit": _pit, "crack": _crack, "stain": _stain}
KINDS = (*DRAWINGS, "patch")
