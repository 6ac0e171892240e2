"""The same paired difference category by category: which defects did the photographs help with?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly_gan.core.dataset import Dataset

from ..evaluation.figures import Figures
from ..evaluation.statistics import percentile_interval, t_interval, verdict
from .outcome import CategoryChange, Change
from .result import CellResult


def shown_categories(test: Dataset) -> list[str]:
    """Names of the categories that the test split shows, by number: the rows of a resampled AP."""
    shown = {item.category_id for item in test.annotations if not item.iscrowd}
    return [name for number, name in sorted(test.category_names().items()) if number in shown]


def category_differences(
    rows: Sequence[CellResult],
    base: Sequence[CellResult],
    resampled: tuple[np.ndarray, np.ndarray] | None,
    names: Sequence[str],
) -> dict[str, CategoryChange]:
    """By category the difference of AP@0.5 to the base, paired by seed, and that over test objects.

    ``resampled`` are the arm's and the base's AP (C, B) under the same draws of test objects, rows as in ``names``;
    None where there are none.
    """
    found = {}
    base_of = {row.cell.seed: row.figures for row in base}
    for place, name in enumerate(names):
        values = [
            own - other
            for row in rows
            if (own := _ap(row.figures, name)) is not None
            and (other := _ap(base_of.get(row.cell.seed), name)) is not None
        ]
        if not values:
            continue
        interval = t_interval(values)
        over_objects = None
        if resampled is not None:
            draws = resampled[0][place] - resampled[1][place]
            objects = percentile_interval(interval.mean, list(draws[np.isfinite(draws)]))
            over_objects = Change(objects, verdict(objects))
        found[name] = CategoryChange(Change(interval, verdict(interval), values), over_objects)
    return found


def _ap(figures: Figures | None, name: str) -> float | None:
    of = figures.categories.get(name) if figures else None
    return of.ap50 if of else None
