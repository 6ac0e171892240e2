"""How a defect lies on its photograph, and how likely that is under the real defects of its category.

A density with Gaussian kernels around the real ones, in which every physical object counts once. The kernels' width is
the one under which each object is best foretold by the others (Duin 1976), so nothing is set by hand; real defects of
one object are never compared with themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.masks import Axes, mask_area, mask_box_xywh
from ...part.foreground import Foreground
from ...part.frame import Frame

LONG = 2.0
"""Only a defect this many times longer than wide has a direction."""
WIDTHS = np.geomspace(0.05, 1.5, 18)
"""Widths tried, as shares of the real values' spread."""
AXIS_KERNEL, PLACE_KERNEL, EDGE_KERNEL = 0.35, 0.05, 0.35
"""The narrowest kernels: 10 degrees of direction, a twentieth of the photograph or part, a factor of 1.4 in the
distance to the border. Nobody would call a defect misplaced for less."""
POINTS = 2048
"""Pixels of a mask at which its share on the part is counted."""
ACROSS = 4.0
"""What the way across a long part, in halves of its width, is divided by: a part is narrow, and labels are not drawn to
the pixel."""
LEAST_GAIN = 0.5
"""Without a part, a photograph's border is arbitrary: its places say something where real ones foretell each other by
so much better than chance."""
EDGE_OFFSET = 0.01
"""Added to a distance to the edge before its logarithm is taken, as a share of the shorter side."""


@dataclass(frozen=True)
class Pose:
    """Of one defect. ``direction`` in degrees [0, 180), against the part's own where there is one; None for a shape
    without. ``place``: where its middle is, in the part's frame (along and across, or the way from its centre to its
    outline), or, without a part, as shares of the photograph's width and height. ``edge``: logarithm of its distance to
    the photograph's border (None with a part). ``share`` of it on the part (None without)."""

    direction: float | None
    place: tuple[float, ...]
    edge: float | None
    share: float | None

    @classmethod
    def of(cls, mask_01: np.ndarray, part: tuple[Foreground, Frame] | None) -> Pose:
        """Of a mask_01 (H, W) that is not empty, on its photograph."""
        x, y, width, height = mask_box_xywh(mask_01)
        piece = mask_01[y : y + height, x : x + width]
        rows, columns = np.nonzero(piece)
        angle, middle = axis_deg(piece), np.array([columns.mean() + x, rows.mean() + y])
        if part is None:
            high, wide = mask_01.shape
            gap = min(x, y, wide - x - width, high - y - height) / min(high, wide)
            place = float(middle[0] / wide), float(middle[1] / high)
            return cls(angle, place, float(np.log(gap + EDGE_OFFSET)), None)
        found, frame = part
        a, b = (float(value) for value in frame.locate(middle))
        if angle is not None:  # from the x axis, y down: against the mathematical sense of ``axis_deg``
            angle = float((-angle - np.degrees(frame.angle(np.array([a, b])))) % 180)
        step = max(1, len(rows) // POINTS)
        share = float(found.under(rows[::step] + y, columns[::step] + x).mean())
        lies: dict[str, tuple[float, ...]] = {"axis": (a, b / ACROSS), "round": (b,), "fixed": (a, b)}
        return cls(angle, lies[frame.kind], None, share)


@dataclass(frozen=True)
class Aspect:
    """One thing that a pose tells: as a point, or None; its density has no kernel narrower than ``narrowest``."""

    name: str
    of: Callable[[Pose], tuple[float, ...] | None]
    narrowest: float


def as_axis(degrees: float) -> tuple[float, float]:
    """A direction without a head, as a point on the circle of doubled angles: 179° is next to 1°."""
    doubled = np.radians(2 * degrees)
    return float(np.cos(doubled)), float(np.sin(doubled))


DIRECTION = Aspect("direction", lambda pose: None if pose.direction is None else as_axis(pose.direction), AXIS_KERNEL)
PLACE = Aspect("place", lambda pose: pose.place, PLACE_KERNEL)
EDGE = Aspect("edge", lambda pose: None if pose.edge is None else (pose.edge,), EDGE_KERNEL)


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A density over points (N, D) with ``weights`` (N,): every object has as much. ``kernel`` (D,): standard
    deviations of the kernels; ``least``: logarithm of the density at the least likely real one, its own object left
    out; ``gain``: how much better, in the mean of the logarithms, each object is foretold by the others than by a
    uniform density over the unit square (or cube)."""

    points: np.ndarray
    weights: np.ndarray
    kernel: np.ndarray
    least: float
    gain: float

    @classmethod
    def fit(cls, points: Sequence[Sequence[float]], groups: Sequence[str], narrowest: float) -> Likelihood | None:
        """No kernel is narrower than ``narrowest``. None with fewer than two objects."""
        owners = np.array(groups, dtype=str)
        names, own, counts = np.unique(owners, return_inverse=True, return_counts=True)
        if len(names) < 2:
            return None
        values = np.array(points, float)
        apart = values[:, None] - values[None]
        weights = 1.0 / (len(names) * counts[own])
        others = np.where(owners[:, None] == owners[None], 0.0, weights * len(names) / (len(names) - 1))
        kernels = [np.maximum(width * values.std(axis=0), narrowest) for width in WIDTHS]
        found = [_density(apart, others, kernel) for kernel in kernels]
        means = [float((logs * weights).sum()) for logs in found]
        best = int(np.argmax(means))
        gain = means[best] - values.shape[1] * float(np.log(2 * np.pi)) / 2
        return cls(values, weights, kernels[best], float(found[best].min()), gain)

    def ratio(self, point: Sequence[float]) -> float:
        """How many times as likely a point is as the least likely real one: at least 1 is within the real ones."""
        density = float(_density(self.points - np.array(point, float), self.weights, self.kernel))
        return float(np.exp(np.clip(density - self.least, -50, 50)))


def axis_deg(mask_01: np.ndarray) -> float | None:
    """Direction of the longer axis, degrees in [0, 180) from the horizontal (y up); None where it is not ``LONG``."""
    if mask_area(mask_01) < 5:
        return None
    axes = Axes.of(mask_01)
    return None if axes.ratio < LONG else -axes.degrees % 180


def painted_out(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """The photograph without its defect, so that a bright scratch is no hole in the part."""
    return cv2.inpaint(pixels, (mask_01 != 0).astype(np.uint8), 3, cv2.INPAINT_TELEA) if mask_01.any() else pixels


def _density(apart: np.ndarray, weights: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Logarithms of the densities (...) from differences (..., N, D) to the points, but for a constant."""
    logs = -((apart / kernel) ** 2).sum(axis=-1) / 2
    highest = np.where(weights > 0, logs, -np.inf).max(axis=-1, keepdims=True)
    total = (np.exp(np.minimum(logs - highest, 0)) * weights).sum(axis=-1)
    return highest[..., 0] + np.log(total) - float(np.log(kernel).sum())
