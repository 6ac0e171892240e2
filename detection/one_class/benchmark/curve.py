"""What a training came to on the way: its losses, and the AUROC at some eight points, kept and drawn.

The AUROC here is of test images, so that a reader sees whether it has become flat. Nothing is chosen by it: neither
the length of the training nor the epoch that is scored.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from torch import Tensor

from anomaly_gan.core.files import atomic_path
from anomaly_gan.core.tables import write_csv

from ..interface import Normals, OneClassDetector
from ..training import Epochs
from .metrics import figures
from .testing import Examiner

CSV, PNG = "curve.csv", "curve.png"
POINTS = 8
IMAGES = 500
"""At most so many normal and so many abnormal test images, evenly over the set, and as many to finish a detector with:
centres, means and spreads that its score needs."""


class Curve:
    """Looks at a detector after every eighth of its last phase, unless ``tests`` is False; what it saw survives a kill
    in ``path``."""

    def __init__(
        self, detector: OneClassDetector, examiner: Examiner, train_NCHW: Tensor, path: Path, tests: bool
    ) -> None:
        self._detector, self._examiner, self._path, self._tests = detector, examiner, path, tests
        self._train = train_NCHW[:: -(-len(train_NCHW) // IMAGES)].to(examiner.device)
        labels = examiner.trial.labels
        kinds = (np.flatnonzero(labels == kind) for kind in (0, 1))
        self._rows = np.concatenate([rows[:: -(-len(rows) // IMAGES) or 1] for rows in kinds])

    def look(self, epoch: int) -> None:
        """After an epoch: a copy is finished and tested, each image by itself; the training sees nothing of it."""
        epochs = self._detector.phases()[-1].epochs
        if not self._tests or (epoch % max(1, epochs // POINTS) and epoch != epochs):
            return
        finished = deepcopy(self._detector)
        finished.finalize(Normals(self._train))
        trial = self._examiner.trial
        scores = self._examiner.plain_scores(finished, trial.test_NCHW[self._rows])
        auroc = figures(trial.labels[self._rows], scores).auroc
        rows = {**self._seen(), epoch: auroc}
        write_csv(self._path, ("epoch", "auroc"), [[number, rows[number]] for number in sorted(rows)])

    def _seen(self) -> dict[int, float | None]:
        if not self._path.is_file():
            return {}
        with self._path.open(encoding="utf-8", newline="") as stream:
            return {int(row["epoch"]): float(row["auroc"]) if row["auroc"] else None for row in csv.DictReader(stream)}

    def write(self, work: Path, place: Path, images_NCHW: Tensor) -> None:
        """``curve.csv`` and ``curve.png`` into ``place``, of the phases' ``losses.csv`` in ``work`` and what was seen;
        nothing of a detector that trains no net."""
        found: dict[tuple[str, int], dict[str, str]] = {}
        names: list[str] = []
        phases = self._detector.phases()
        steps = [Epochs(images_NCHW, phase, 0).steps for phase in phases]
        for phase, each in zip(phases, steps, strict=True):
            with (work / phase.name / "losses.csv").open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    step = int(float(row.pop("step")))
                    found[phase.name, step] = {"epoch": f"{step / each:g}", **row}
                    names += [name for name in row if name not in names]
        for epoch, auroc in self._seen().items():
            key = phases[-1].name, epoch * steps[-1]
            found.setdefault(key, {"epoch": str(epoch)})["auroc"] = "" if auroc is None else f"{auroc:.6f}"
        if not found:
            return
        order = [phase.name for phase in phases]
        rows = sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
        columns = ("epoch", *names, "auroc")
        lines = [[phase, step, *(row.get(name, "") for name in columns)] for (phase, step), row in rows]
        write_csv(place / CSV, ("phase", "step", *columns), lines)
        _draw(place / PNG, [row for (phase, _), row in rows if phase == order[-1]], names)


def _draw(path: Path, rows: Sequence[dict[str, str]], names: Sequence[str]) -> None:
    """Over the epochs of the last phase: each loss by its own first value, and the AUROC."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    losses, auroc = figure.subplots(1, 2)
    for name in names:
        points = [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
        if points and points[0][1]:
            losses.plot([x for x, _ in points], [y / points[0][1] for _, y in points], label=name, linewidth=1.2)
    losses.set_title("losses, each by its first value", fontsize=10)
    if losses.lines:
        losses.legend(fontsize=7)
    points = [(float(row["epoch"]), float(row["auroc"])) for row in rows if row.get("auroc")]
    auroc.plot([x for x, _ in points], [y for _, y in points], "o-", color="#2563a8", linewidth=1.2, markersize=4)
    auroc.axhline(0.5, color="0.6", linewidth=0.8, linestyle=(0, (3, 3)))
    auroc.set_title("AUROC of test images; nothing is chosen by it", fontsize=10)
    for panel in (losses, auroc):
        panel.set_xlabel("epoch", fontsize=9)
        panel.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
