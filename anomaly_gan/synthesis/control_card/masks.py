"""Masks on the card: moved, turned and multiplied at random, is the paint where the label says, and nowhere else?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.channels import change_of
from ...core.errors import InputError
from ...core.masks import Axes, grow, union
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ..paint.placement import Instances, Placement, place
from ..paint.stage import paint_instances
from .config import CardConfig
from .subjects import Model, Subject

ELONGATED = 2.0
"""Ratio of the main axes from which on an orientation means something."""


def evaluate_masks(model: Model, subjects: Sequence[Subject], config: CardConfig) -> dict[str, Any]:
    """Each mask put elsewhere: change outside, share filled, and how far the changed pixels' centre and main axis lie
    from the label's."""
    rows = []
    for subject in track(subjects, "masks"):
        rng = rng_for(model.seed, "masks", subject.name)
        placed = _moved(subject, rng)
        if placed is None:
            continue
        painted, _ = paint_instances(
            model.brush, model.channels, subject.base, placed, None, seed_for(model.seed, "moved", subject.name)
        )
        rows.append(measure(painted, subject.base, placed, model.brush.settings.support_px, config.changed_by))
    if not rows:
        return {"paintings": 0}
    shifts = [value for row in rows for value in row["shift_px"]]
    turns = [value for row in rows for value in row["turn_deg"]]
    fills = [value for row in rows for value in row["fill"]]
    return {
        "paintings": len(rows),
        "instances": len(fills),
        "outside_px": sum(row["outside"] for row in rows),
        "fill": _spread(fills),
        "empty": sum(value < 0.05 for value in fills),
        "changed_at_all": round(float(np.mean([row["changed"] for row in rows])), 4),
        "shift_px": _spread(shifts),
        "turn_deg": _spread(turns),
        "numbers": sorted({row["number"] for row in rows}),
    }


def _moved(subject: Subject, rng: np.random.Generator) -> Instances | None:
    """The mask at a free place, turned anyhow, one to three times; None where it fits nowhere else."""
    height, width = subject.mask_01.shape
    for _ in range(20):
        number = int(rng.integers(1, 4))
        at = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        try:
            return place(
                subject.name,
                [(subject.category, subject.mask_01)],
                (height, width),
                Placement(at, float(rng.uniform(0, 360)), 1.0, number),
                rng,
            )
        except InputError:  # it would leave the photograph there: another place
            continue
    return None


def measure(
    painted: np.ndarray, base: np.ndarray, placed: Instances, support_px: int, changed_by: float
) -> dict[str, Any]:
    """Figures of one painting; ``fill``, ``shift_px`` and ``turn_deg`` are lists over its instances."""
    levels = change_of(painted, base)
    label = union([mask for _, mask in placed], *levels.shape)
    fills, shifts, turns = [], [], []
    for _, mask in placed:
        inside = mask != 0
        fills.append(float((levels[inside] > changed_by).mean()))
        seen = (levels > changed_by) & inside
        if seen.sum() >= 8:
            own, found = Axes.of(inside), Axes.of(seen)
            shifts.append(float(np.hypot(*(found.centre - own.centre))))
            if own.ratio >= ELONGATED:
                turns.append(abs((own.degrees - found.degrees + 90) % 180 - 90))
    return {
        "outside": int((levels[grow(label, support_px) == 0] > 0).sum()),
        "fill": fills,
        "shift_px": shifts,
        "turn_deg": turns,
        "changed": float((levels[label != 0] > 0).mean()),
        "number": len(placed),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"p5": round(float(low), 4), "median": round(float(middle), 4), "p95": round(float(high), 4)}
