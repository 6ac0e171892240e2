"""The two plots of a study of the lift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detection.evaluation.statistics import Interval

from ...core.files import atomic_path
from .config import CURVE_ARM
from .outcome import ArmMeans, Lifts

PANELS = (("ap50", "AP@0.5 of masks"), ("pixel_ap", "AP of pixels"), ("auroc", "AUROC of photographs"))


def write_curve(path: Path, rows: Sequence[ArmMeans]) -> None:
    """``none`` over how often it saw each real defect, a line for each number of objects."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(4.2 * len(PANELS), 3.4), constrained_layout=True)
    own = [row for row in rows if row.arm == CURVE_ARM]
    names = list(dict.fromkeys(row.objects for row in own))
    for axis, (figure_name, title) in zip(axes, PANELS, strict=True):
        for number, objects in enumerate(names):
            line = sorted((row for row in own if row.objects == objects), key=lambda row: row.exposures)
            known = [(row, value) for row in line if (value := row.figures[figure_name]) is not None]
            if not known:
                continue
            lengths, heights = [row.exposures for row, _ in known], [height for _, height in known]
            label = f"{objects} object{'' if objects == 1 else 's'} a category"
            axis.plot(lengths, heights, "o-", color=f"C{number}", label=label)
            if figure_name == "ap50":
                _bars(axis, lengths, heights, [row.ap50_interval for row, _ in known], f"C{number}")
        axis.set_xscale("log")
        ticks = sorted({row.exposures for row in own})
        axis.set_xticks(ticks, [f"{length:g}" for length in ticks])
        axis.minorticks_off()
        axis.set_xlabel("exposures of each real defect")
        axis.set_title(title)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    _save(figure, path)


def write_lift(path: Path, lifts: Sequence[Lifts]) -> None:
    """Every arm's difference from the better reference over the number of objects, with 95 % intervals."""
    pyplot = _pyplot()
    figure, axis = pyplot.subplots(figsize=(7.5, 4), constrained_layout=True)
    steps = [row.objects for row in lifts]
    arms = list(dict.fromkeys(arm.arm for row in lifts for arm in row.arms))
    for number, name in enumerate(arms):
        places, values, bounds = [], [], []
        for place, row in enumerate(lifts):
            for arm in row.arms:
                if arm.arm == name and arm.lift is not None:
                    places.append(place + 0.6 * (number / max(1, len(arms) - 1) - 0.5))
                    values.append(arm.lift)
                    bounds.append(arm.interval)
        axis.plot(places, values, "o", color=f"C{number % 10}", label=name)
        _bars(axis, places, values, bounds, f"C{number % 10}")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(
        range(len(steps)),
        [f"{step}\nover {row.reference}" for step, row in zip(steps, lifts, strict=True)],
    )
    axis.set_xlabel("real objects of each category")
    axis.set_ylabel("lift in AP@0.5")
    axis.grid(alpha=0.3, axis="y")
    if arms:
        axis.legend(fontsize=7, ncols=2)
    else:
        axis.text(0.5, 0.5, "no arm beside the references yet", ha="center", transform=axis.transAxes)
    _save(figure, path)


def _bars(axis: Any, x: Sequence[float], y: Sequence[float], bounds: Sequence[Interval | None], colour: str) -> None:
    for place, value, bound in zip(x, y, bounds, strict=True):
        if bound is not None and bound.low is not None and bound.high is not None:
            axis.plot([place, place], [min(bound.low, value), max(bound.high, value)], color=colour, alpha=0.5)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    _pyplot().close(figure)
