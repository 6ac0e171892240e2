"""Real defects that lie alike, and candidates that do not: for each of the gate's checks of poses one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from drawn_bolts import bolt, bolts_in
from small_run import HEIGHT, WIDTH, add_image, texture

from anomaly_gan.core.dataset import Annotation, Category, Dataset
from anomaly_gan.synthesis.gate.candidate import Candidate, Setting
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects


def bar(rng, angle, length=12, thick=1.6, at=None):
    """mask_01 of a bar at ``angle`` degrees from the horizontal."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    cy, cx = at or (rng.uniform(22, HEIGHT - 22), rng.uniform(22, WIDTH - 22))
    turn = np.radians(angle)
    along = (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
    across = (y - cy) * np.cos(turn) + (x - cx) * np.sin(turn)
    return ((abs(along) < length) & (abs(across) < thick)).astype(np.uint8)


def bars(folder, objects, seed, level=200, angle=None, colour=None, **shape):
    """Bright bars within ±10° of the horizontal, two photographs an object; the other arguments change one thing."""
    rng, images, annotations = np.random.default_rng(seed), [], []
    for index in range(2 * objects):
        pixels = texture(rng)
        if colour is not None:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        turned = rng.uniform(-10, 10) if angle is None else rng.uniform(*angle)
        mask = bar(rng, turned, **shape)
        pixels[mask != 0] = level if colour is None else colour
        image = add_image(folder, images, f"{index}.png", pixels, f"g{index // 2}", "train")
        annotations.append(Annotation.from_mask(index + 1, image.id, 1, mask))
    mode = "L" if colour is None else "RGB"
    return Dataset(images, annotations, [Category(1, "bar")], {"mode": mode}, folder)


def from_the_left(folder):
    """Bars that all begin at the left border, and end, and so have their middle, anywhere."""
    images, annotations = [], []
    for index in range(16):
        rng = np.random.default_rng(index)
        mask, pixels = np.zeros((HEIGHT, WIDTH), np.uint8), texture(rng)
        row = int(rng.integers(10, HEIGHT - 10))
        mask[row : row + 4, : int(rng.integers(16, WIDTH - 4))] = 1
        pixels[mask != 0] = 200
        image = add_image(folder, images, f"{index}.png", pixels, f"g{index}", "train")
        annotations.append(Annotation.from_mask(index + 1, image.id, 1, mask))
    return Dataset(images, annotations, [Category(1, "bar")], {"mode": "L"}, folder)


def candidate_on(base, mask, level=200):
    """The photograph with a defect of one grey level where the mask is."""
    pixels = base.copy()
    pixels[mask != 0] = level
    return Candidate(pixels, [(1, mask)], base, 0)


def scratch_at(x, y, upright=True):
    """A bolt that lies along the photograph, and a scratch on it, or wherever (x, y) is."""
    base, _ = bolt(0, 40)
    mask = np.zeros_like(base)
    across, along = (9, 2) if upright else (2, 9)
    mask[y - across : y + across, x - along : x + along] = 1
    return candidate_on(base, mask, 140)


def half_transparent(opacity):
    """A bar of level 200 through which the surface shows."""
    rng = np.random.default_rng(5)
    base, mask = texture(rng), bar(rng, 4, thick=4, at=(36, 30))
    candidate = candidate_on(base, mask)
    mixed = base + opacity * mask * (candidate.pixels.astype(float) - base)
    return replace(candidate, pixels=mixed.round().astype(np.uint8))


def posed(name, folder, good=False):
    """A candidate that the check ``name``, and none before it, rejects (or, ``good``, accepts), and its setting."""
    rng = np.random.default_rng(5)
    if name == "part":
        real, candidate = bolts_in(folder), scratch_at(110, 80 if good else 20)
    elif name == "edge":
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[30:34, (0 if good else 36) : 54] = 1
        real, candidate = from_the_left(folder), candidate_on(texture(rng), mask)
    elif name == "ghost":
        real, candidate = bars(folder, 8, 0, thick=4, at=(36, 30)), half_transparent(1.0 if good else 0.2)
    else:
        changed = {"direction": {"angle": 75}, "place": {"at": (36, 58)}}[name] if not good else {}
        real = bars(folder, 8, 0, at=(36, 30))
        candidate = candidate_on(texture(rng), bar(rng, **{"angle": 4, "at": (36, 30), **changed}))
    return candidate, Setting(GateConfig(), real_defects=RealDefects(real, 50, 0))
