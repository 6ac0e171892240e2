"""Pictures of a plausibility model's trial; the same verdicts give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anomaly_gan.core.files import atomic_path
from anomaly_gan.statistics.ranks import auroc

from ..placement.real_masks import Scenes
from .plausibility_shuffles import KINDS
from .plausibility_trial import RatedParts, Verdict

SHOWN = ("both", "shape", "place", "painted")
COLUMNS = 8
TILE_PX = 160


def draw_rocs(verdicts: Sequence[Verdict], path: Path) -> None:
    """One ROC diagram to the kind of shuffling, one curve to what is rated by."""
    figure = _figure(3.2 * len(KINDS), 3.5)
    for place, kind in enumerate(KINDS, start=1):
        axes = figure.add_subplot(1, len(KINDS), place)
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        chosen = [one for one in verdicts if one.pair.kind == kind]
        for view in SHOWN if chosen else ():
            real, fake = (np.array([getattr(one, side)[view] for one in chosen]) for side in ("real", "fake"))
            limits = np.unique(np.concatenate([real, fake]))[::-1]
            rates = [[0.0, *((side >= limit).mean() for limit in limits)] for side in (fake, real)]
            axes.plot(*rates, label=f"{view} {auroc(fake, real):.2f}")
        axes.set_title(f"real against {kind}")
        axes.set_xlabel("shuffled masks taken for real")
        axes.set_ylabel("real masks taken for real" if place == 1 else "")
        if chosen:
            axes.legend(loc="lower right", fontsize=8)
    _save(figure, path)


def draw_scatter(rated: Sequence[RatedParts], unseen: np.ndarray, path: Path) -> None:
    """Mean scores of the drawings against plausibility, and against the score calibrated on the other photographs."""
    figure = _figure(9, 4)
    scores = np.array([one.element.score for one in rated], float)
    labels = np.array([one.element.category for one in rated])
    shown = (
        ("plausibility (uncalibrated)", np.array([one.plausibility for one in rated])),
        ("calibrated on the other photographs", unseen),
    )
    for place, (title, values) in enumerate(shown, start=1):
        axes = figure.add_subplot(1, 2, place)
        for label in sorted(set(labels)):
            axes.plot(values[labels == label], scores[labels == label], "o", markersize=4, alpha=0.7, label=label)
        axes.set_xlabel(title)
        axes.set_ylabel("mean score of the raters")
        axes.legend(fontsize=8)
    _save(figure, path)


def contact_sheet(verdicts: Sequence[Verdict], scenes: Scenes, path: Path) -> None:
    """Four rows: the best and worst rated real masks, the best and worst rated shuffled ones, outlined."""
    real_masks: dict[tuple[str, Any], Verdict] = {}
    for one in verdicts:
        real_masks.setdefault((one.pair.real.parent_image, one.pair.real.parent), one)
    by_real = sorted(real_masks.values(), key=lambda one: -one.real["both"])
    by_fake = sorted(verdicts, key=lambda one: -one.fake["both"])
    rows = [
        ("real, best", _apart(by_real), "real"),
        ("real, worst", _apart(by_real[::-1]), "real"),
        ("shuffled, best", _apart(by_fake), "fake"),
        ("shuffled, worst", _apart(by_fake[::-1]), "fake"),
    ]
    figure = _figure(1.7 * COLUMNS, 2.05 * len(rows))
    for row, (name, chosen, side) in enumerate(rows):
        for column, one in enumerate(chosen):
            axes = figure.add_subplot(len(rows), COLUMNS, row * COLUMNS + column + 1)
            mask_01 = one.pair.real.full_mask() if side == "real" else one.pair.fake_01
            axes.imshow(_outlined(scenes.gray(one.pair.real.parent_image), mask_01))
            kind = "" if side == "real" else f" {one.pair.kind}"
            score = one.score_real if side == "real" else one.score_fake
            axes.set_title(f"{one.pair.real.category}{kind}\n{score:.1f}", fontsize=7)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_ylabel(name if column == 0 else "", fontsize=8)
    _save(figure, path)


def _apart(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The first ones, one to the photographed object: exposures of one object would fill the row."""
    seen: dict[str, Verdict] = {}
    for one in verdicts:
        seen.setdefault(one.pair.real.parent_group, one)
    return list(seen.values())[:COLUMNS]


def _outlined(gray: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """RGB, a square window around the mask at least a quarter of the photograph wide, the mask's outline in red."""
    rows, columns = np.nonzero(mask_01)
    centre = ((rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2)
    side = int(max(np.ptp(rows), np.ptp(columns)) * 1.3 + 8)
    side = min(max(side, min(gray.shape), max(gray.shape) // 4), max(gray.shape))
    cut = [
        slice(start := int(min(max(middle - side // 2, 0), max(size - side, 0))), start + side)
        for middle, size in zip(centre, gray.shape, strict=True)
    ]
    seen, mask = np.ascontiguousarray(gray[cut[0], cut[1]]), np.ascontiguousarray(mask_01[cut[0], cut[1]])
    scale = TILE_PX / max(seen.shape)
    size = (max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale)))
    colour = cv2.cvtColor(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    outline, _ = cv2.findContours(
        cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return cv2.drawContours(colour, outline, -1, (255, 40, 40), 1)


def _figure(width: float, height: float) -> Any:
    # without pyplot: no global state, no display
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
