"""Drawn shapes on drawn surfaces: what the detector's heads are pretrained on before they see any data set.

Nothing here imitates a particular product; the point is that "something lies on a surface, here is its outline"
can be learnt once, so that training on a few dozen photographs only has to learn which things are defects.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..data import Example

KINDS = ("blob", "polygon", "strip", "crack", "disc")
SMALLEST_PX, LARGEST_SHARE = 8.0, 0.6
LEAST_VISIBLE_PX = 16


def draw_example(rng: np.random.Generator, size: int) -> Example:
    """A gray uint8 photograph (size, size) with one to four shapes; labels are 1 .. 5 in the order of ``KINDS``."""
    picture = _surface(rng, size)
    masks: list[np.ndarray] = []
    labels: list[int] = []
    for _ in range(int(rng.integers(1, 5))):
        kind = int(rng.integers(len(KINDS)))
        mask = _shape(KINDS[kind], rng, size)
        picture = _paint(picture, mask, rng)
        masks = [np.where(mask > 0, 0, below).astype(np.uint8) for below in masks] + [mask]
        labels.append(kind + 1)
    seen = [number for number, mask in enumerate(masks) if np.count_nonzero(mask) >= LEAST_VISIBLE_PX]
    noisy = picture + rng.normal(0, rng.uniform(0, 6), picture.shape)
    return Example(
        np.clip(noisy, 0, 255).astype(np.uint8),
        [masks[number] for number in seen],
        [labels[number] for number in seen],
        "real",
    )


def _noise(rng: np.random.Generator, size: int, grain: float, stretch: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """Smooth noise (size, size), mean 0, deviation 1, of ``grain`` pixels wavelength, ``stretch`` times that along
    ``angle`` (degrees).
    """
    if stretch == 1.0:
        field = _waves(rng, size, grain, grain)
    else:
        side = round(1.5 * size)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
        field = cv2.warpAffine(
            _waves(rng, side, grain, grain * stretch), turn, (side, side), borderMode=cv2.BORDER_REFLECT
        )
        margin = (side - size) // 2
        field = field[margin : margin + size, margin : margin + size]
    return (field - field.mean()) / (field.std() + 1e-6)


def _waves(rng: np.random.Generator, side: int, rows_px: float, columns_px: float) -> np.ndarray:
    coarse = rng.standard_normal((max(2, round(side / rows_px)), max(2, round(side / columns_px))), np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def _surface(rng: np.random.Generator, size: int) -> np.ndarray:
    """Lamp, grain, streaks and straight edges: float32 (size, size), gray levels."""
    picture = np.full((size, size), rng.uniform(50, 190), np.float32)
    picture += rng.uniform(0, 30) * _noise(rng, size, size / 2)
    angle = rng.uniform(0, 180)
    for _ in range(int(rng.integers(1, 4))):
        grain, stretch = float(np.exp(rng.uniform(0.5, 3.5))), float(rng.choice([1, 1, 6, 20]))
        picture += rng.uniform(0, 9) * _noise(rng, size, grain, stretch, angle)
    for _ in range(int(rng.integers(0, 4))):  # structure that runs through the whole picture is no object
        normal = np.array([np.cos(angle), np.sin(angle)]) if rng.random() < 0.5 else rng.normal(size=2)
        offset = np.linspace(0, 1, size) - rng.uniform(0.1, 0.9)
        beyond = (offset * normal[0] + offset[:, None] * normal[1] > 0).astype(np.float32)
        picture += rng.uniform(-35, 35) * cv2.GaussianBlur(beyond, (0, 0), rng.uniform(0.5, 3))
    return picture


def _shape(kind: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """mask_01 (size, size) of one shape somewhere in the picture."""
    extent = float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_SHARE * size))))
    centre = rng.uniform(0.1, 0.9, 2) * size
    mask = np.zeros((size, size), np.uint8)
    if kind == "disc":
        axes = np.maximum(2, extent / 2 * rng.uniform([0.7, 0.7], [1.0, 1.0])).round().astype(int)
        cv2.ellipse(mask, _point(centre), _point(axes), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif kind in ("blob", "polygon"):
        if kind == "polygon":
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 10))))
            radii = rng.uniform(0.5, 1.0, len(angles))
        else:
            angles = np.linspace(0, 2 * np.pi, 40, False)
            radii = _wavy(rng, angles)
        stretch = np.array([1.0, rng.uniform(0.4, 1.0)])
        points = extent / 2 * radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * stretch
        cv2.fillPoly(mask, [np.round(centre + points @ _turn(rng)).astype(np.int32)], 1)
    else:
        steps = 6 if kind == "strip" else 14
        wander = 0.25 if kind == "strip" else 0.6
        headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wander, steps))
        if kind == "crack":
            headings = rng.uniform(0, 2 * np.pi) + rng.normal(0, wander, steps)
        stride = extent * (1.0 if kind == "strip" else 1.2) / steps
        path = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * stride, 0)
        thickness = max(2, round(extent * rng.uniform(0.12, 0.3))) if kind == "strip" else int(rng.integers(2, 5))
        cv2.polylines(mask, [np.round(path - path.mean(0) + centre).astype(np.int32)], False, 1, thickness)
    return mask


def _wavy(rng: np.random.Generator, angles: np.ndarray) -> np.ndarray:
    """A closed outline of a few random waves, radii in 0.3 .. 1."""
    waves = sum(rng.normal() / order * np.cos(order * angles + rng.uniform(0, 6.3)) for order in range(1, 6))
    return np.clip(0.75 + 0.2 * np.asarray(waves), 0.3, 1.0)


def _turn(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _point(values: np.ndarray) -> tuple[int, int]:
    return round(float(values[0])), round(float(values[1]))


def _paint(picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with the shape on it: another gray level and grain, sometimes a shadow or a bright rim."""
    size = picture.shape[0]
    edge = rng.uniform(0.3, 1.5)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), edge)
    level = rng.choice([-1.0, 1.0]) * rng.uniform(18, 110)
    own = rng.random() < 0.5  # its own surface, or a change of the one below
    inside = (picture.mean() if own else picture) + level
    inside = inside + rng.uniform(0, 25) * _noise(rng, size, float(np.exp(rng.uniform(1.0, 3.5))))
    if rng.random() < 0.4:
        shift = np.array([[1, 0, rng.uniform(-4, 4)], [0, 1, rng.uniform(-4, 4)]])
        shadow = cv2.GaussianBlur(cv2.warpAffine(soft, shift, (size, size)), (0, 0), rng.uniform(1, 3))
        picture = picture - rng.uniform(10, 60) * shadow
    if rng.random() < 0.3:
        rim = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
        inside = inside + rng.uniform(-60, 60) * cv2.GaussianBlur(rim, (0, 0), 1.0)
    return picture * (1 - soft) + inside * soft
