"""The same paired difference category by category: which defects did the photographs help with?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset

from ..evaluation.statistics import percentile_interval, t_interval, verdict


def shown_categories(test: Dataset) -> list[str]:
    """Names of the categories that the test split shows, by number: the rows of a resampled AP."""
    shown = {item.category_id for item in test.annotations if not item.iscrowd}
    return [name for number, name in sorted(test.category_names().items()) if number in shown]


def category_differences(
    rows: Sequence[Mapping[str, Any]],
    base: Sequence[Mapping[str, Any]],
    resampled: tuple[np.ndarray, np.ndarray] | None,
    names: Sequence[str],
) -> dict[str, dict[str, object]]:
    """By category: ``difference`` of AP@0.5 to the base, paired by seed, and ``difference_over_objects``.

    ``resampled`` are the arm's and the base's AP (C, B) under the same draws of test objects, rows as in ``names``;
    None where there are none.
    """
    found: dict[str, dict[str, object]] = {}
    base_of = {row["seed"]: row["categories"] for row in base}
    for place, name in enumerate(names):
        values = [
            own - other
            for row in rows
            if (own := _ap(row["categories"], name)) is not None
            and (other := _ap(base_of.get(row["seed"], {}), name)) is not None
        ]
        if not values:
            continue
        interval = t_interval(values)
        found[name] = {"difference": {**interval.to_json(), "values": values, "verdict": verdict(interval)}}
        if resampled is not None:
            draws = resampled[0][place] - resampled[1][place]
            objects = percentile_interval(interval.mean, list(draws[np.isfinite(draws)]))
            found[name]["difference_over_objects"] = {**objects.to_json(), "verdict": verdict(objects)}
    return found


def _ap(categories: Mapping[str, Any], name: str) -> float | None:
    return (categories.get(name) or {}).get("ap50")
