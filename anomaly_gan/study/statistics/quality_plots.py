"""Quality of the photographs over the number of real objects (Fig. 11 of the paper), drawn from a study's summary."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING

from ..config import MAIN
from .ablated import AblatedFigure, Ablations
from .ablations import AIMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, GRAY = "#0072b2", "0.35"
SHOWN = ("kid", "crop_kid", "crop_fid", "label_iou_gap", "empty", "diversity")
LEVELS = {"one": 1.0, "label_iou_gap": 0.0, "empty": 0.0}
"""Where real photographs stand against each other; 1 for every multiple of real against real."""


def curve_of(part: Ablations) -> list[tuple[int | None, Mapping[str, AblatedFigure]]]:
    """(objects a category, figures) of ``main`` and of the variants that name a number of objects, few first; of
    variants with as many objects the first. ``main`` stands for its own number, None for all."""
    found: dict[int | None, Mapping[str, AblatedFigure]] = {}
    for row in next(iter(part.arms.values())):
        objects = (part.objects or {}).get(row.variant)
        if row.variant == MAIN or (objects is not None and row.changed == f"objects: {objects}"):
            found.setdefault(objects, row.figures)
    return sorted(found.items(), key=lambda item: (item[0] is None, item[0] or 0))


def quality_figure(part: Ablations | None) -> Figure | None:
    """A panel per figure: its mean and interval over folds and repeats against the number of real objects."""
    curve = curve_of(part) if part else []
    if len(curve) < 2:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    aims = [aim for aim in AIMS if aim.name in SHOWN and any(aim.name in figures for _, figures in curve)]
    columns = min(3, len(aims))
    figure = Figure(figsize=(3.7 * columns, 2.7 * -(-len(aims) // columns)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    most = max(objects or 1 for objects, _ in curve)
    for number, aim in enumerate(aims, start=1):
        panel = figure.add_subplot(-(-len(aims) // columns), columns, number)
        points = [(objects or 2 * most, figures[aim.name].level) for objects, figures in curve if aim.name in figures]
        panel.axhline(LEVELS.get(aim.name, 1.0), color=GRAY, linewidth=0.8, linestyle=(0, (3, 3)))
        panel.plot(
            [x for x, _ in points],
            [level.mean for _, level in points],
            "o-",
            color=BLUE,
            markersize=4,
            linewidth=1.4,
        )
        for x, level in points:
            if level.low is not None and level.high is not None:
                panel.plot([x, x], [level.low, level.high], color=BLUE, linewidth=1, alpha=0.7)
        panel.set_xscale("log", base=2)
        panel.set_xticks(
            [objects or 2 * most for objects, _ in curve],
            ["all" if objects is None else str(objects) for objects, _ in curve],
        )
        panel.minorticks_off()
        panel.set_xlabel("real objects per category", fontsize=8)
        better = {"lower": "less is better", "higher": "more is better", "one": "best at 1"}[aim.better]
        # as generated: none was refused, so all are accepted, at the first attempt
        title = aim.title.replace(" of the accepted", "").replace(" at the first attempt", "")
        panel.set_title(fill(f"{title} ({better})", 44), fontsize=8.5)
        panel.tick_params(labelsize=7.5)
        panel.grid(alpha=0.3)
    return figure
