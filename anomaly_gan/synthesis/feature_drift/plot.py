"""The figure of features over training: t-SNE panels and, below, the distance that goes with them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .result import CategoryDrift, Drift

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REAL_COLOUR, NORMAL_COLOUR, MADE_COLOUR = "#0072b2", "0.7", "#d55e00"


def draw(result: Drift) -> bytes:
    """PNG of ``features.json``: a row per category, a column per snapshot, and last the distances over the steps.

    Every panel of a row shows one common layout: real defects, normal places, and what was generated at that snapshot.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    categories, steps = result.categories, result.steps
    columns, rows = len(steps) + 1, max(1, len(categories))
    figure = Figure(figsize=(1.75 * len(steps) + 3.2, 1.95 * rows + 0.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"width_ratios": [1] * len(steps) + [1.7]})
    for line, (name, part) in zip(panels, categories.items(), strict=False):
        for panel, snapshot in zip(line, part.snapshots, strict=False):
            _points(panel, part.layout, str(snapshot.step))
            distance = snapshot.kernel
            panel.set_title(f"step {snapshot.step}" + (f": {distance.mean:.3f}" if distance else ""), fontsize=8)
        line[0].set_ylabel(f"{name}, {part.shown} each".replace("$", r"\$"), fontsize=8.5)
        _curve(line[-1], part, result.kernel)
    _legend(figure, panels[0][0])
    figure.supxlabel(
        f"t-SNE of features of each {result.view} (perplexity {result.perplexity:g}, seed "
        f"{result.seed}); above each panel and right: {result.kernel} to real defects, at equal N",
        fontsize=8,
    )
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _points(panel: Any, layout: Mapping[str, Sequence[Sequence[float]]], step: str) -> None:
    for key, colour, size, marker in (
        ("normal", NORMAL_COLOUR, 7, "s"),
        ("real", REAL_COLOUR, 9, "o"),
        (step, MADE_COLOUR, 9, "^"),
    ):
        points = layout.get(key, [])
        panel.scatter(
            [x for x, _ in points], [y for _, y in points], s=size, c=colour, marker=marker, linewidths=0, alpha=0.75
        )
    everything = [point for points in layout.values() for point in points]
    for limits, at in ((panel.set_xlim, 0), (panel.set_ylim, 1)):
        values = [point[at] for point in everything] or [0.0, 1.0]
        room = 0.05 * (max(values) - min(values)) or 1.0
        limits(min(values) - room, max(values) + room)
    panel.set_xticks([])
    panel.set_yticks([])


def _curve(panel: Any, part: CategoryDrift, name: str) -> None:
    """The distance over the steps, with what normal places and real defects of other objects have."""
    known = [(snapshot.step, snapshot.kernel) for snapshot in part.snapshots if snapshot.kernel]
    x = [step for step, _ in known]
    panel.plot(x, [kernel.mean for _, kernel in known], "^-", color=MADE_COLOUR, markersize=4, linewidth=1.3)
    panel.fill_between(
        x,
        [kernel.p05 for _, kernel in known],
        [kernel.p95 for _, kernel in known],
        color=MADE_COLOUR,
        alpha=0.2,
        linewidth=0,
    )
    if part.real:
        panel.axhline(part.real.mean, color=REAL_COLOUR, linewidth=1.1)
        panel.axhspan(part.real.p05, part.real.p95, color=REAL_COLOUR, alpha=0.15, linewidth=0)
    if part.normal:  # its interval is as wide as the others, and would bury them
        panel.axhline(part.normal.mean, color="0.4", linewidth=1.1, linestyle=(0, (4, 3)))
    panel.set_title(f"{name}, N = {part.n}" if known else "too few for a distance", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.grid(alpha=0.25)


def _legend(figure: Figure, panel: Any) -> None:
    for label, colour, marker in (
        ("real defects", REAL_COLOUR, "o"),
        ("the same places, normal", NORMAL_COLOUR, "s"),
        ("generated at that step", MADE_COLOUR, "^"),
    ):
        panel.plot([], [], marker, color=colour, markersize=5, label=label)
    for label, colour, dashes in (
        ("real to real of other objects", REAL_COLOUR, "-"),
        ("normal to real", "0.4", (0, (4, 3))),
    ):
        panel.plot([], [], color=colour, linewidth=1.1, linestyle=dashes, label=label)
    panel.plot([], [], color="0.3", linewidth=6, alpha=0.25, label="5 to 95 % over random halves of the objects")
    width = figure.get_figwidth()  # of few snapshots the figure is narrower than a line of six
    columns = 6 if width >= 12 else 3 if width >= 8 else 1
    figure.legend(loc="outside upper center", ncols=columns, fontsize=8, frameon=False)
