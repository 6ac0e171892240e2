"""The pictures of a study, drawn from its summary alone: the same summary gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomaly_gan.core.files import atomic_path
from detection.evaluation.statistics import Interval

from ..config import MAIN
from .ablated import Ablations
from .ablations import AIMS
from .amount import AmountRow
from .comparisons import NONE, OURS, base_method
from .estimate import Estimate
from .quality_plots import quality_figure
from .summary import StudySummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GRAY = "#0072b2", "#d55e00", "#009e73", "0.35"
LINES = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", GRAY)
GATES_SHOWN = 24


def write_plots(
    out: Path, summary: StudySummary, ablations: Ablations | None = None, quality: Ablations | None = None
) -> list[str]:
    """Write those of ``lift.png``, ``leak.png``, ``gates.png``, ``amount.png``, ``ablations.png``, ``quality.png`` and
    ``quality_variants.png`` that there is something for.

    Returns:
        The names written.
    """
    drawings: dict[str, Callable[[], Figure | None]] = {
        "lift.png": partial(lift_figure, summary),
        "leak.png": partial(leak_figure, summary),
        "gates.png": partial(gates_figure, summary),
        "amount.png": partial(amount_figure, summary),
        "ablations.png": partial(ablations_plot, ablations),
        "quality.png": partial(quality_figure, quality),
        "quality_variants.png": partial(ablations_plot, quality),
    }
    written = []
    for name, draw in drawings.items():
        figure = draw()
        if figure is not None:
            with atomic_path(out / name) as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
            written.append(name)
    return written


def lift_figure(summary: StudySummary) -> Figure | None:
    """Forest plot: each arm's difference to ``none`` in points of AP; thick over seeds, thin over objects and seeds
    (over repeats where there are several)."""
    parts = {name: [row for row in part.first if row.kind == NONE] for name, part in summary.detectors.items()}
    parts = {name: rows for name, rows in parts.items() if rows}
    if not parts:
        return None
    figure, panels = _panels(len(parts), max(len(rows) for rows in parts.values()))
    for panel, (detector, rows) in zip(panels, parts.items(), strict=True):
        for place, row in enumerate(rows):
            colour = BLUE if base_method(row.arm) in OURS else GRAY
            _bar(panel, place, row.made.over_seeds, colour, 4.0, 0.35)
            _bar(panel, place, row.made.interval, colour, 1.2, 1.0)
            panel.plot([100 * row.made.interval.mean], [place], "o", color=colour, markersize=5)
        _finish(panel, [row.arm for row in rows], "points of AP@0.5 over none", detector)
    counted = "repeats" if any(MAIN in part.repeats for part in summary.detectors.values()) else "seeds"
    panels[0].plot([], [], color=GRAY, linewidth=4, alpha=0.35, label=f"95 % over {counted}")
    panels[0].plot([], [], color=GRAY, linewidth=1.2, label=f"95 % over objects and {counted}")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def leak_figure(summary: StudySummary) -> Figure | None:
    """Each arm's AP under a random image split and by objects."""
    parts = {name: part.leak.arms for name, part in summary.detectors.items() if part.leak}
    if not parts:
        return None
    figure, panels = _panels(len(parts), max(len(arms) for arms in parts.values()))
    for panel, (detector, arms) in zip(panels, parts.items(), strict=True):
        order = [name for name in summary.detectors[detector].main.arms if name in arms]
        for place, arm in enumerate(order):
            of = arms[arm].ap50
            for shift, made, colour in ((-0.13, of.by_images, ORANGE), (0.13, of.by_objects, BLUE)):
                _bar(panel, place + shift, made.interval, colour, 1.6, 1.0)
                panel.plot([100 * made.interval.mean], [place + shift], "o", color=colour, markersize=5)
        _finish(panel, order, "AP@0.5 in points", detector, zero=False)
    panels[0].plot([], [], "o-", color=ORANGE, markersize=5, label="random image split")
    panels[0].plot([], [], "o-", color=BLUE, markersize=5, label="split by objects")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def gates_figure(summary: StudySummary) -> Figure | None:
    """Spearman's rho of the gates with the lift, largest first, both levels, first detector that has gates."""
    rows = next((part.gates.rows for part in summary.detectors.values() if part.gates), [])
    levels = {
        level: [(row, of) for row in rows if row.level == level and (of := row.of.interval)][:GATES_SHOWN]
        for level in ("arms", "categories")
    }
    levels = {level: chosen for level, chosen in levels.items() if chosen}
    if not levels:
        return None
    titles = {"arms": "over arms and folds", "categories": "within fold and category"}
    figure, panels = _panels(len(levels), max(len(chosen) for chosen in levels.values()), width=5.2, height=0.24)
    for panel, (level, chosen) in zip(panels, levels.items(), strict=True):
        for place, (row, of) in enumerate(chosen):
            colour = BLUE if row.of.predicts else "0.6"
            _bar(panel, place, of, colour, 1.4, 1.0, scale=1)
            panel.plot([of.mean], [place], "o", color=colour, markersize=4)
        _finish(panel, [row.gate for row, _ in chosen], "Spearman's rho with the lift", titles[level])
        panel.set_xlim(-1.05, 1.05)
    return figure


def amount_figure(summary: StudySummary) -> Figure | None:
    """AP against synthetic photographs per real one (a line per arm and real amount), and lift against the number of
    real objects (a line per arm); first detector that has either."""
    amount = next((part.amount for part in summary.detectors.values() if part.amount), None)
    if amount is None:
        return None
    most = max((row.amount.objects or 0 for row in amount.objects), default=0)
    panels_of = [
        item
        for item in (
            (_amount_lines(amount.amounts), "synthetic photographs per real one", "AP@0.5 in points"),
            (
                _object_lines(amount.objects, 2 * most),
                "real objects per category in training",
                "points of AP@0.5 over none",
            ),
        )
        if item[0]
    ]
    if not panels_of:
        return None
    figure = _figure(6.4 * len(panels_of), 3.6)
    for number, (chosen, below, beside) in enumerate(panels_of, start=1):
        panel = figure.add_subplot(1, len(panels_of), number)
        logarithmic = beside.endswith("over none")
        for place, (name, points) in enumerate(sorted(chosen.items())):
            aside = place - (len(chosen) - 1) / 2  # so that no interval hides another
            moved = [(x * 2 ** (0.06 * aside) if logarithmic else x + 0.1 * aside, made) for x, made in points]
            _line(panel, moved, LINES[place % len(LINES)], name)
        panel.set_xlabel(below, fontsize=8.5)
        panel.set_ylabel(beside, fontsize=8.5)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        if logarithmic:
            panel.axhline(0, color=GRAY, linewidth=0.8)
            places = sorted({x for points in chosen.values() for x, _ in points})
            panel.set_xscale("log", base=2)
            panel.set_xticks(places, ["all" if x == 2 * most else f"{x:g}" for x in places])
            panel.minorticks_off()
    return figure


def ablations_plot(found: Ablations | None) -> Figure | None:
    """Forest plot of each variant's difference to main in the primary figures and the diversity, first arm."""
    variants = next(iter(found.arms.values()), []) if found else []
    shown = [
        (
            aim,
            {
                row.variant: change
                for row in variants
                if aim.name in row.figures and (change := row.figures[aim.name].change)
            },
        )
        for aim in AIMS
        if aim.primary or aim.name == "diversity"
    ]
    shown = [(aim, rows) for aim, rows in shown if rows]
    if not shown:
        return None
    names = [row.variant for row in variants if any(row.variant in rows for _, rows in shown)]
    figure, panels = _panels(len(shown), len(names), width=4.0, height=0.3)
    colours = {"better": GREEN, "worse": ORANGE}
    for panel, (aim, rows) in zip(panels, shown, strict=True):
        for place, name in enumerate(names):
            if name in rows:
                made, colour = rows[name].interval, colours.get(rows[name].verdict, GRAY)
                _bar(panel, place, made, colour, 1.4, 1.0, scale=1)
                panel.plot([made.mean], [place], "o", color=colour, markersize=5)
        better = {"lower": "less", "higher": "more", "one": "nearer to 1"}[aim.better]
        label = "difference to main of the distance to 1" if aim.better == "one" else "difference to main"
        _finish(panel, names, f"{label} ({better} is better)", aim.title)
    return figure


Lines = dict[str, list[tuple[float, Estimate]]]


def _amount_lines(rows: Sequence[AmountRow]) -> Lines:
    """(synthetic per real, AP) per arm, real amount and share of a batch; ``none`` is the start of every 1 x line."""
    base = next((row.map50 for row in rows if row.arm == NONE and row.map50), None)
    lines: Lines = {}
    for row in rows:
        given = row.amount
        if row.arm != NONE and given.per_real is not None and row.map50 is not None:
            share = ", shares as they come" if given.real_share is None else f", {given.real_share:.0%} real"
            line = lines.setdefault(f"{row.arm}, {given.real_times:g} x real{share}", [])
            if not line and given.real_times == 1 and base is not None and given.per_real > 0:
                line.append((0.0, base))
            line.append((given.per_real, row.map50))
    return lines


def _object_lines(rows: Sequence[AmountRow], everything: float) -> Lines:
    """(real objects, lift) per arm that has more than one point; all objects stand at ``everything``."""
    lines: Lines = {}
    for row in rows:
        if row.lift is not None:
            lines.setdefault(row.arm, []).append((row.amount.objects or everything, row.lift))
    return {name: points for name, points in lines.items() if len(points) > 1}


def _line(panel: Any, points: Sequence[tuple[float, Estimate]], colour: str, name: str) -> None:
    points = sorted(points, key=lambda point: point[0])
    panel.plot(
        [x for x, _ in points],
        [100 * made.interval.mean for _, made in points],
        "o-",
        color=colour,
        markersize=4,
        linewidth=1.4,
        label=name,
    )
    for x, made in points:
        low, high = made.interval.low, made.interval.high
        if low is not None and high is not None:
            panel.plot([x, x], [100 * low, 100 * high], color=colour, linewidth=1, alpha=0.6)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(count: int, rows: int, width: float = 4.4, height: float = 0.36) -> tuple[Figure, list[Any]]:
    figure = _figure(width * count, 1.3 + height * rows)
    return figure, [figure.add_subplot(1, count, number) for number in range(1, count + 1)]


def _bar(
    panel: Any, place: float, of: Interval, colour: str, linewidth: float, alpha: float, scale: float = 100
) -> None:
    """The interval of a row.

    Args:
        panel: where.
        place: which row, from above.
        of: nothing is drawn where it has no bounds.
        colour: of the bar.
        linewidth: in points.
        alpha: opacity.
        scale: what the interval is multiplied with.
    """
    if of.low is not None and of.high is not None:
        panel.plot(
            [scale * of.low, scale * of.high],
            [place, place],
            color=colour,
            linewidth=linewidth,
            alpha=alpha,
            solid_capstyle="butt",
        )


def _finish(panel: Any, names: Sequence[str], label: str, title: str, zero: bool = True) -> None:
    if zero:
        panel.axvline(0, color=GRAY, linewidth=0.8, linestyle=(0, (3, 3)))
    panel.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names], fontsize=8)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlabel(label, fontsize=8.5)
    panel.set_title(title, fontsize=9.5)
    panel.tick_params(axis="x", labelsize=8)
    panel.grid(axis="x", alpha=0.3)
