"""Charts drawn by matplotlib without its global state: bytes depend on the numbers alone."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

DOTS_PER_INCH = 120
BLUE, PALE, GRAY = "#2563a8", "#b9cfe8", "#6b7280"
ORANGE = "#d55e00"
SETS = ((PALE, 0.0, "-"), (BLUE, 1.4, "-"), (ORANGE, 1.0, (0, (3, 2))))
"""Colour, width and dashes of the sets in a histogram."""


def loss_curves(
    steps: Sequence[float], terms: Mapping[str, Sequence[float]], columns: int = 3
) -> tuple[bytes, int, int]:
    """Small multiples, one panel per loss term: raw values pale, a running median over them.

    Args:
        steps: step numbers (N,).
        terms: values (N,) per term; NaN where a term was not logged.

    Returns:
        PNG bytes, and width and height in CSS pixels.
    """
    figure, panels = _small_multiples(len(terms), columns, 1.9)
    for panel, (name, values) in zip(panels, terms.items(), strict=False):
        x, y = np.asarray(steps, float), np.asarray(values, float)
        known = np.isfinite(y) & np.isfinite(x)
        x, y = x[known], y[known]
        panel.plot(x, y, color=PALE, linewidth=0.8)
        panel.plot(x, running_median(y, max(1, len(y) // 25)), color=BLUE, linewidth=1.4)
        if len(y) > 20:  # the first steps of a fresh network would flatten everything after them
            low, high = np.percentile(y[len(y) // 50 :], [0.5, 99.5])
            if high > low:
                panel.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        panel.set_title(_plain(name), fontsize=8.5, loc="left", color="#111827")
        _quiet_axes(panel)
    return _png(figure)


def _small_multiples(count: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of at least ``count`` panels, the spare ones hidden; ``height`` of a row in inches."""
    columns = min(columns, max(count, 1))
    rows = max(1, math.ceil(count / columns))
    figure = Figure(figsize=(3.1 * columns, height * rows), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels


def running_median(values: np.ndarray, half_width: int) -> np.ndarray:
    """Median over a window of ``2 half_width + 1`` values, shortened at both ends; (N,) -> (N,)."""
    return np.array([np.median(values[max(0, i - half_width) : i + half_width + 1]) for i in range(len(values))])


def histograms(
    panels: Mapping[str, Mapping[str, Sequence[float]]], label: str, bins: int = 20, columns: int = 3
) -> tuple[bytes, int, int]:
    """Small multiples, one per name: shares of up to three sets of values in [0, 1], the first filled, the others
    outlined; their medians as ticks on top, their numbers in the legend."""
    figure, axes = _small_multiples(len(panels), columns, 2.3)
    edges = np.linspace(0, 1, bins + 1)
    for panel, (name, sets) in zip(axes, panels.items(), strict=False):
        for place, (title, values) in enumerate(sets.items()):
            shares = np.histogram(np.clip(values, 0, 1), edges)[0] / max(1, len(values))
            middle = f", median {np.median(values):.2f}" if len(values) else ""
            colour, width, dashes = SETS[place]
            panel.stairs(
                shares,
                edges,
                fill=place == 0,
                color=colour,
                linewidth=width,
                linestyle=dashes,
                label=f"{title} ({len(values)}{middle})",
            )
            if len(values):
                panel.plot(
                    [np.median(values)],
                    [1.0],
                    "v",
                    color=colour,
                    markersize=4,
                    clip_on=False,
                    transform=panel.get_xaxis_transform(),
                )
        panel.set_title(_plain(name), fontsize=8.5, loc="left", color="#111827")
        panel.set_xlim(0, 1)
        panel.set_ylim(0, panel.get_ylim()[1] * 1.45)  # room for the legend
        panel.set_xlabel(_plain(label), fontsize=7.5, color=GRAY)
        panel.legend(fontsize=6.5, frameon=False, loc="upper left", borderaxespad=0.2)
        _quiet_axes(panel)
    return _png(figure)


def _plain(text: str) -> str:
    """Text that matplotlib draws as it is: no mathematics between dollar signs, no letters its font lacks."""
    return "".join(letter if 32 <= ord(letter) < 0x250 else "?" for letter in text[:60]).replace("$", r"\$")


def _quiet_axes(panel: object) -> None:
    panel.tick_params(labelsize=7.5, colors=GRAY, length=2.5)  # type: ignore[attr-defined]
    panel.grid(True, color="#eceff3", linewidth=0.7)  # type: ignore[attr-defined]
    panel.set_axisbelow(True)  # type: ignore[attr-defined]
    for side, spine in panel.spines.items():  # type: ignore[attr-defined]
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#d1d5db")


def _png(figure: Figure) -> tuple[bytes, int, int]:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    width, height = figure.get_size_inches()
    return stream.getvalue(), round(width * 96), round(height * 96)
