"""Simulated expert work: defects drawn as polygons over sound photographs, and ten raters' scores for each.

No person drew or scored any of this. Most drawings are plausible; about one in six is deliberately poor, so that
a rule which keeps the best tenth has something to reject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scene import CATEGORIES

RATERS = 10
RATER_NAMES = tuple(f"rater_{number:02d}" for number in range(1, RATERS + 1))
CARELESS = 6
"""This one of the raters grades in the sheet with criteria without looking."""
CRITERIA = ("shape", "place", "scale", "orientation")
FAULTY = {
    "beside": ("place",),
    "at the rim": ("place",),
    "huge": ("scale",),
    "tiny": ("scale",),
    "huge rectangle": ("scale", "shape"),
    "shape of another category": ("shape", "orientation"),
}
"""The criteria under which a deliberate fault is to be seen."""
HALO = 0.4
"""How far a fault under one criterion lowers the others."""
SKIPPED = 0.02
POOR = 0.17
DRAWINGS = 20  # files, eight shapes each: 40 shapes to the category


@dataclass(frozen=True)
class Drawing:
    """One polygon (K, 2) in photograph pixels; ``quality`` is what an unbiased rater would give it, 0..10."""

    label: str
    points: np.ndarray
    quality: float
    remark: str

    @property
    def fault(self) -> str | None:
        """What was done wrong on purpose; None for a plausible drawing."""
        return self.remark.partition("poor: ")[2] or None


def draw_over(seats: list[np.ndarray], size: int, rng: np.random.Generator) -> list[Drawing]:
    """Eight drawings over one sound photograph: two of each category; screws on different bolts of ``seats``."""
    free = list(rng.permutation(len(seats)))
    drawings = []
    for label in CATEGORIES:
        for _ in range(2):
            poor = rng.random() < POOR
            if label.startswith("screws"):
                drawings.append(_screw(label, seats[free.pop()], size, rng, poor))
            else:
                drawings.append(_foreign(label, size, rng, poor))
    return drawings


def _screw(label: str, seat: np.ndarray, size: int, rng: np.random.Generator, poor: bool) -> Drawing:
    if not poor:
        middle = seat.mean(axis=0)
        points = middle + (seat - middle) * rng.uniform(0.96, 1.03) + rng.normal(0, 0.004 * size, 2)
        return Drawing(label, _held(points, size), rng.uniform(6.0, 9.3), "simulated: on a bolt")
    fault = str(rng.choice(["beside", "huge", "tiny"]))
    middle, reach = seat.mean(axis=0), float(np.ptp(seat, axis=0).max())
    if fault == "beside":
        side = rng.uniform(0, 2 * np.pi)
        points = seat + 1.1 * reach * np.array([np.cos(side), np.sin(side)])
    else:
        points = middle + (seat - middle) * (3.2 if fault == "huge" else 0.3)
    return Drawing(label, _held(points, size), rng.uniform(0.5, 3.5), f"simulated, deliberately poor: {fault}")


def _foreign(label: str, size: int, rng: np.random.Generator, poor: bool) -> Drawing:
    if not poor:
        outline = _strip(size, rng) if label == "cloth_strips" else _scrap(size, rng)
        return Drawing(label, _held(outline, size), rng.uniform(5.8, 9.4), "simulated: plausible")
    fault = str(rng.choice(["huge rectangle", "tiny", "at the rim", "shape of another category"]))
    if fault == "huge rectangle":
        low, high = rng.uniform(0.02, 0.12, 2) * size, rng.uniform(0.85, 0.97, 2) * size
        points = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    elif fault == "shape of another category":
        points = _scrap(size, rng) if label == "cloth_strips" else _strip(size, rng)
    else:
        points = _scrap(size, rng)
        points = points.mean(axis=0) + (points - points.mean(axis=0)) * (0.18 if fault == "tiny" else 0.6)
        if fault == "at the rim":
            points = points - points.min(axis=0) + [1, rng.uniform(1, 0.6 * size)]
    return Drawing(label, _held(points, size), rng.uniform(0.5, 3.8), f"simulated, deliberately poor: {fault}")


def _strip(size: int, rng: np.random.Generator) -> np.ndarray:
    """A long wavy band without self-crossings: its two rims run beside a gently bent spine."""
    steps = 9
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.2, steps))
    spine = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0) * rng.uniform(0.24, 0.5) * size / steps
    spine += rng.uniform(0.32, 0.68, 2) * size - spine.mean(axis=0)
    normal = np.stack([-np.sin(heading), np.cos(heading)], 1)
    half = size * rng.uniform(0.018, 0.04) * rng.uniform(0.6, 1.3, (2, steps, 1))
    return np.concatenate([spine + normal * half[0], (spine - normal * half[1])[::-1]])


def _scrap(size: int, rng: np.random.Generator) -> np.ndarray:
    """A compact angular outline, star-shaped about its middle and so free of self-crossings."""
    count = int(rng.integers(6, 11))
    turn = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    reach = size * rng.uniform(0.06, 0.125) * rng.uniform(0.65, 1.1, count)
    return rng.uniform(0.27, 0.73, 2) * size + np.stack([np.cos(turn), np.sin(turn)], 1) * reach[:, None]


def _held(points: np.ndarray, size: int) -> np.ndarray:
    """Points moved, not bent, into the frame; what is too large for it is clipped; hundredths of a pixel."""
    low, high = points.min(axis=0), points.max(axis=0)
    points = points + np.maximum(0.5 - low, 0) - np.maximum(high - (size - 0.5), 0)
    return np.round(np.clip(points, 0.5, size - 0.5), 2)


def labelme(drawings: list[Drawing], image_path: str, size: int) -> dict:
    """A labelme 5.5 document for the photograph at ``image_path`` (relative to the JSON file)."""
    shapes = [
        {
            "label": drawing.label,
            "points": drawing.points.tolist(),
            "group_id": None,
            "description": drawing.remark,
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for drawing in drawings
    ]
    return {
        "version": "5.5.0",
        "flags": {"simulated": True},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size,
        "imageWidth": size,
    }


def score(drawing: Drawing, biases: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the raters (R,) with ``biases`` (R,) give one drawing: 0..10 in steps of 0.5."""
    raw = drawing.quality + biases + rng.normal(0, 0.7, biases.shape)
    return np.round(np.clip(raw, 0, 10) * 2) / 2


def grade(drawing: Drawing, biases: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the raters give one drawing under each criterion: (R, C) on 0..10 in steps of 0.5, NaN where skipped.

    A fault shows under its own criteria and, less, under the others; one rater (``CARELESS``) gives anything.
    """
    own = drawing.quality + rng.normal(0, 0.5, len(CRITERIA))
    if drawing.fault is not None:
        sound = HALO * drawing.quality + (1 - HALO) * rng.uniform(6.0, 9.0, len(CRITERIA))
        own = np.where([name in FAULTY[drawing.fault] for name in CRITERIA], own, sound)
    raw = own + biases[:, None] + rng.normal(0, 0.7, (len(biases), len(CRITERIA)))
    raw[CARELESS] = rng.uniform(2.0, 10.0, len(CRITERIA))
    skipped = rng.random(raw.shape) < SKIPPED
    return np.where(skipped, np.nan, np.round(np.clip(raw, 0, 10) * 2) / 2)
