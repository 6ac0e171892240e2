"""Charts drawn by matplotlib without its global state: bytes depend on the numbers alone."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

DOTS_PER_INCH = 120
BLUE, PALE, GRAY = "#2563a8", "#b9cfe8", "#6b7280"


def loss_curves(steps: Sequence[float], terms: Mapping[str, Sequence[float]],
                columns: int = 3) -> tuple[bytes, int, int]:
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
            low, high = np.percentile(y[len(y) // 50:], [0.5, 99.5])
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
    return np.array([np.median(values[max(0, i - half_width):i + half_width + 1]) for i in range(len(values))])


def interval_chart(names: Sequence[str], means: Sequence[float | None],
                   intervals: Sequence[tuple[float, float] | None], label: str,
                   zero_line: bool = True) -> tuple[bytes, int, int]:
    """One row per name: the mean as a dot, its interval as a bar."""
    figure = Figure(figsize=(7.2, 0.6 + 0.38 * max(len(names), 1)), dpi=DOTS_PER_INCH, layout="constrained")
    panel = figure.subplots()
    for row, (mean, interval) in enumerate(zip(means, intervals, strict=True)):
        if interval is not None:
            panel.plot(interval, [row, row], color=PALE, linewidth=5, solid_capstyle="round")
        if mean is not None:
            panel.plot([mean], [row], "o", color=BLUE, markersize=6)
    if zero_line:
        panel.axvline(0, color=GRAY, linewidth=0.8, linestyle=(0, (3, 3)))
    panel.set_yticks(range(len(names)), [_plain(name) for name in names], fontsize=8.5)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlabel(_plain(label), fontsize=8.5, color=GRAY)
    _quiet_axes(panel)
    return _png(figure)


def histogram_pairs(panels: Mapping[str, tuple[Sequence[float], Sequence[float]]], label: str, names: tuple[str, str],
                    bins: int = 20, columns: int = 3) -> tuple[bytes, int, int]:
    """Small multiples, one per name: shares of two sets of values in [0, 1], the first filled, the second outlined."""
    figure, axes = _small_multiples(len(panels), columns, 2.1)
    edges = np.linspace(0, 1, bins + 1)
    for panel, (name, (first, second)) in zip(axes, panels.items(), strict=False):
        shares = [np.histogram(np.clip(values, 0, 1), edges)[0] / max(1, len(values)) for values in (first, second)]
        panel.stairs(shares[0], edges, fill=True, color=PALE, label=f"{names[0]} ({len(first)})")
        panel.stairs(shares[1], edges, color=BLUE, linewidth=1.4, label=f"{names[1]} ({len(second)})")
        panel.set_title(_plain(name), fontsize=8.5, loc="left", color="#111827")
        panel.set_xlim(0, 1)
        panel.set_xlabel(_plain(label), fontsize=7.5, color=GRAY)
        panel.legend(fontsize=6.5, frameon=False)
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
