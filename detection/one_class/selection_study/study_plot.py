"""The picture of the calibration study. The same figures give the same bytes."""

from __future__ import annotations

from pathlib import Path

from anomaly_gan.core.files import atomic_path

from .result import BLIND, StudyResult

TITLES = {
    "balanced_accuracy": "balanced accuracy",
    "detection_rate": "defects found",
    "false_alarm_rate": "false alarms",
}


def write_plot(path: Path, result: StudyResult) -> None:
    """One panel per figure, one row per way of choosing: the value as a dot, its 95 % interval over test objects."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ways = list(result.choices)
    figure = Figure(figsize=(11, 0.9 + 0.34 * len(ways)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for panel, (name, title) in zip(panels, TITLES.items(), strict=True):
        for row, way in enumerate(ways):
            of = result.choices[way].figures[name]
            colour = {"blind": "#6b7280", "oracle": "#b9cfe8"}.get(way, "#2563a8")
            if of.low is not None and of.high is not None:
                panel.plot([of.low, of.high], [row, row], color=colour, linewidth=2, alpha=0.6)
            panel.plot([of.mean], [row], "o", color=colour, markersize=5)
        panel.axvline(result.choices[BLIND].figures[name].mean, color="0.6", linewidth=0.8, linestyle=(0, (3, 3)))
        if name == "false_alarm_rate":
            panel.axvline(result.asked, color="#b3261e", linewidth=0.8)
        panel.set_title(title, fontsize=10)
        panel.set_yticks(range(len(ways)), [way.replace("_", " ") for way in ways], fontsize=8)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_ylim(len(ways) - 0.5, -0.5)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
