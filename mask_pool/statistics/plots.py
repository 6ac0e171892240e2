"""The picture of a category's statistics: sizes, shapes, places and outlines, real beside pool."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .measures import Measured, Shape, frames, nearest_distance, position_map

REAL, POOL, GRAY = "#c2410c", "#2563a8", "#6b7280"
DOTS_PER_INCH = 100
CELL = 56
"""Pixels per example mask."""
EXAMPLES = 18


def picture(one: Measured, content: Mapping[str, Any]) -> bytes:
    """PNG of 1200 x 500 pixels; the same category gives the same bytes (no date, no version in the file).

    ``content`` are the category's figures of ``stats.statistics``.
    """
    figure = Figure(figsize=(12, 5), dpi=DOTS_PER_INCH, layout="constrained")
    counts = content["counts"]
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.05)  # type: ignore[union-attr, call-arg]
    figure.suptitle(
        f"{_plain(one.name)}: {counts['items']} masks of {counts['elements']} elements, from "
        f"{content['parents']['used']} parents; {counts['real']} real masks",
        fontsize=11,
        x=0.008,
        ha="left",
        color="#111827",
    )
    figure.legend(
        handles=[
            Patch(facecolor=POOL, alpha=0.55, label="pool"),
            Patch(fill=False, edgecolor=REAL, linewidth=1.5, label="real"),
        ],
        fontsize=8.5,
        frameon=False,
        handlelength=1.4,
        ncols=2,
        loc="upper right",
    )
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.1, 1.9]).ravel()
    panels: np.ndarray = upper.subplots(1, 5, width_ratios=[1.15, 1.15, 1.15, 0.9, 0.9])
    _histogram(panels[0], [shape.area for shape in one.real], [shape.area for shape in one.pool], "area, pixels", True)
    _histogram(
        panels[1],
        [_elongation(shape) for shape in one.real],
        [_elongation(shape) for shape in one.pool],
        "elongation (length / width)",
        True,
    )
    real, pool = frames(one.real), frames(one.pool)
    _histogram(
        panels[2], nearest_distance(real), nearest_distance(pool, real), "distance to the nearest real outline", False
    )
    maps = position_map(one.real), position_map(one.pool)
    peak = max(float(np.quantile(found, 0.995)) for found in maps) or 1.0
    for panel, found, name in zip(panels[3:], maps, ("real", "pool"), strict=True):
        # the root: a few real masks on one spot must not turn a pool spread over the photograph black
        panel.imshow(found, cmap="viridis", norm=PowerNorm(0.5, 0, peak), extent=(0, 1, 1, 0), interpolation="nearest")
        _label(panel, f"where they lie: {name}")
        panel.set_xticks([0, 1])
        panel.set_yticks([0, 1])
    _strips(lower.subplots(2, 1), one)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _strips(panels: np.ndarray, one: Measured) -> None:
    """Rows of masks, real ones above the pool's."""
    for panel, shapes, name, colour in ((panels[0], one.real, "real", REAL), (panels[1], one.pool, "pool", POOL)):
        panel.imshow(strip(shapes), interpolation="antialiased", aspect="equal", cmap="gray_r", vmin=0, vmax=1)
        panel.set_ylabel(name, fontsize=9, color=colour)
        panel.set_xticks([])
        panel.set_yticks([])
        for side in panel.spines.values():
            side.set_visible(False)


def strip(shapes: Sequence[Shape]) -> np.ndarray:
    """Evenly chosen masks side by side, each scaled to its cell: (CELL, EXAMPLES * CELL) of 0 to 1."""
    row = np.zeros((CELL, EXAMPLES * CELL), np.float32)
    chosen = [shapes[place * len(shapes) // min(EXAMPLES, len(shapes))] for place in range(min(EXAMPLES, len(shapes)))]
    for place, shape in enumerate(chosen):
        h, w = shape.bitmap.shape
        scale = (CELL - 8) / max(h, w)
        size = max(1, round(w * scale)), max(1, round(h * scale))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
        small = cv2.resize(shape.bitmap.astype(np.float32), size, interpolation=way)
        top, left = (CELL - size[1]) // 2, place * CELL + (CELL - size[0]) // 2
        row[top : top + size[1], left : left + size[0]] = small
    return row


def _elongation(shape: Shape) -> float:
    length, width = shape.sides()
    return length / width


def _histogram(
    panel: Axes, real: Sequence[float] | np.ndarray, pool: Sequence[float] | np.ndarray, name: str, logarithmic: bool
) -> None:
    """Shares of both kinds over common bins; on a logarithmic axis where values span magnitudes."""
    both = np.concatenate([np.asarray(real, float), np.asarray(pool, float)])
    if logarithmic:
        low, high = (float(both.min()), float(both.max())) if len(both) else (1.0, 10.0)
        bins = np.geomspace(low * 0.98, max(high, low * 1.2) * 1.02, 17)
        panel.set_xscale("log")
        panel.set_xticks(_ticks(float(bins[0]), float(bins[-1])))
        panel.set_xticks([], minor=True)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        bins = np.linspace(0, 1, 21)
    for values, colour, label, filled in ((pool, POOL, "pool", True), (real, REAL, "real", False)):
        if len(values):
            panel.hist(
                values,
                bins=list(bins),
                weights=np.full(len(values), 1 / len(values)),
                color=colour,
                label=label,
                histtype="stepfilled" if filled else "step",
                alpha=0.55 if filled else 1.0,
                linewidth=1.5,
            )
    panel.set_yticks([])
    for side in ("left", "right", "top"):
        panel.spines[side].set_visible(False)
    _label(panel, name)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers in between, at most about six."""
    steps: tuple[float, ...] = (1,) if high / low > 1000 else (1, 2, 5) if high / low > 12 else (1, 1.5, 2, 3, 4, 5, 7)
    if high / low < 2:
        steps = (1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
    return [step * 10.0**power for power in range(-6, 10) for step in steps if low <= step * 10.0**power <= high]


def _label(panel: Axes, name: str) -> None:
    panel.set_title(name, fontsize=8.5, loc="left", color="#111827")
    panel.tick_params(labelsize=7.5, colors=GRAY, length=2.5)


def _plain(text: str) -> str:
    """Text that matplotlib draws as it is: no mathematics between dollar signs, no letters its font lacks."""
    return "".join(letter if 32 <= ord(letter) < 0x250 else "?" for letter in text[:60]).replace("$", r"\$")
