"""One physical scene: sound equipment, its bolts, its wear, and the defects of one category (or none)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from bolts import Bolt, Style, fasten, loosen, lose
from foreign import cloth_strip, paper_scrap
from layouts import LAYOUTS
from light import Light
from parts import cable
from surface import SIDE, Surface
from wear import clutter, weather

CATEGORIES = ("cloth_strips", "paper_scraps", "screws_A", "screws_B")
VISIBLE = (95.0, 417.0)  # units that every photograph of a scene shows, x and y


@dataclass(frozen=True)
class Scene:
    """A finished relief with its lamp; ``instances`` are bool maps of the defects, ``seats`` the sound bolts'
    (x, y, seat radius) in units."""

    surface: Surface
    light: Light
    instances: list[np.ndarray]
    seats: list[tuple[float, float, float]]


def build(category: str | None, rng: np.random.Generator, pixels: int) -> Scene:
    """Build a scene on a canvas of ``pixels`` squared; ``category`` None is a sound one.

    Every category draws from the same places and lamps, so nothing but the defect tells it from a sound scene.
    """
    surface, style, light = Surface.blank(pixels), Style.draw(rng), Light.draw(rng)
    weights = np.array([weight for _, weight in LAYOUTS])
    layout = LAYOUTS[int(rng.choice(len(LAYOUTS), p=weights / weights.sum()))][0]
    bolts = _apart(layout(surface, style, rng), style)
    clutter(surface, rng)
    bad = _pick(bolts, style, category, rng)
    seats, middles = [], []
    for number, bolt in enumerate(bolts):
        if number in bad:
            middles.append((lose if category == "screws_A" else loosen)(surface, bolt, style, rng))
        elif _free(surface, bolt, style):
            fasten(surface, bolt, style, rng)
            seats.append((bolt.x, bolt.y, bolt.seat(style)))
    weather(surface, rng)
    instances = [np.hypot(surface.x - x, surface.y - y) < bolts[0].seat(style) for x, y in middles]
    if category in ("cloth_strips", "paper_scraps"):
        instances = _foreign(surface, category, rng)
    covers = rng.random() < (0.3 if category is None else 0.22)
    if covers and not bad:
        over = _crossing_cable(surface, rng)
        instances = [inside & ~over for inside in instances]
        seats = [seat for seat in seats if not over[_row_column(surface, seat[0], seat[1])]]
    return Scene(surface, light, instances, seats)


def _row_column(surface: Surface, x: float, y: float) -> tuple[int, int]:
    last = surface.x.shape[0] - 1
    return int(np.clip(y * surface.scale, 0, last)), int(np.clip(x * surface.scale, 0, last))


def _free(surface: Surface, bolt: Bolt, style: Style) -> bool:
    """Whether the whole seat lies on the canvas."""
    return min(bolt.x, bolt.y) > bolt.seat(style) and max(bolt.x, bolt.y) < SIDE - bolt.seat(style)


def _apart(bolts: list[Bolt], style: Style) -> list[Bolt]:
    """The bolts without those that would touch an earlier one."""
    kept: list[Bolt] = []
    for bolt in bolts:
        if all(np.hypot(bolt.x - other.x, bolt.y - other.y) > 2.25 * bolt.seat(style) for other in kept):
            kept.append(bolt)
    return kept


def _pick(bolts: list[Bolt], style: Style, category: str | None, rng: np.random.Generator) -> set[int]:
    """Numbers of the bolts that fail: one, sometimes two or three, all in view; none if no bolt is."""
    if category not in ("screws_A", "screws_B"):
        return set()
    low, high = VISIBLE
    seen = [number for number, bolt in enumerate(bolts) if low < bolt.x < high and low < bolt.y < high]
    count = min(len(seen), int(rng.choice([1, 2, 3], p=[0.66, 0.25, 0.09])))
    return {int(number) for number in rng.choice(seen, count, replace=False)}


def _foreign(surface: Surface, category: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Lay one to three objects; each later one must leave the earlier ones uncovered, else it is not laid."""
    put = cloth_strip if category == "cloth_strips" else paper_scrap
    count = int(rng.choice([1, 2, 3], p=[0.74, 0.2, 0.06]))
    instances: list[np.ndarray] = []
    taken = np.zeros(surface.x.shape, np.uint8)
    for _ in range(count):
        centre = (float(rng.uniform(150, 362)), float(rng.uniform(150, 362)))
        trial = Surface(surface.x, surface.y, surface.height.copy(), surface.albedo.copy(), surface.gloss.copy())
        inside = put(trial, centre, rng)
        if (taken & inside).any():
            continue
        surface.height, surface.albedo, surface.gloss = trial.height, trial.albedo, trial.gloss
        instances.append(inside)
        taken |= cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8))
    return instances


def _crossing_cable(surface: Surface, rng: np.random.Generator) -> np.ndarray:
    """A cable across the view, in front of everything, also of a caught object."""
    offset, turn = rng.uniform(-110, 110), rng.uniform(0, np.pi)
    along = np.linspace(-420, 420, 7)
    across = offset + rng.normal(0, 16, 7)
    points = np.stack(
        [
            SIDE / 2 + np.cos(turn) * along - np.sin(turn) * across,
            SIDE / 2 + np.sin(turn) * along + np.cos(turn) * across,
        ],
        1,
    )
    return cable(surface, rng, points, rng.uniform(4.5, 10), rng.uniform(0.05, 0.28), bool(rng.random() < 0.6))
