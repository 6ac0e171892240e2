"""Repeats of a variant as one sample: each counts as one training, the mean over its detectors' seeds.

A repeat stands for all that is drawn anew in it: the seeds of its generators and, where objects are few, which ones
they are. Drawing repeats again, as an estimate draws seeds, gives an interval that knows of them; what the detectors'
seeds do is in the spread between repeats already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from detection.evaluation.figures import CategoryFigures, Figures, ImageFigures
from detection.evaluation.metric_names import METRICS, RECALL, mean_figure
from detection.evaluation.statistics import mean_known

from ..config import split_repeat
from .resample import DrawnCell

UNIT = ("repeat (the mean over its seeds)", "repeats (each the mean over its seeds)")
"""What a comparison of such cells counts, one and several."""


def over_repeats(drawn: Mapping[str, Sequence[DrawnCell]]) -> dict[str, list[DrawnCell]]:
    """By variant: one cell per arm, fold and repeat, whose number stands for its seed.

    Of a fold of a repeat the seeds count that all arms of the variant have there: arms stay paired in a study that is
    not finished. A variant of which no fold has two such repeats is left out.
    """
    places: dict[str, dict[tuple[int, int], list[DrawnCell]]] = defaultdict(lambda: defaultdict(list))
    for variant, cells in drawn.items():
        name, repeat = split_repeat(variant)
        for item in cells:
            places[name][item.cell.fold, repeat].append(item)
    result = {}
    for name, parts in places.items():
        arms = {item.cell.arm for cells in parts.values() for item in cells}
        merged = [cell for (_, repeat), cells in sorted(parts.items()) for cell in _merged(cells, arms, repeat)]
        folds = [item.cell.fold for item in merged if item.cell.arm == merged[0].cell.arm]
        if len(folds) > len(set(folds)):
            result[name] = merged
    return result


def _merged(cells: Sequence[DrawnCell], arms: set[str], repeat: int) -> list[DrawnCell]:
    """One cell per arm from those of one fold and repeat; none where the arms have no seed in common."""
    seeds = {arm: {item.cell.seed for item in cells if item.cell.arm == arm} for arm in arms}
    common = set.intersection(*seeds.values())
    return [
        _mean([item for item in cells if item.cell.arm == arm and item.cell.seed in common], repeat)
        for arm in sorted(arms)
        if common
    ]


def _mean(cells: Sequence[DrawnCell], repeat: int) -> DrawnCell:
    categories = [name for name in cells[0].per_category if all(name in item.per_category for item in cells)]
    means = {name: mean_figure(item.cell.figure(metric=name) for item in cells) for name in METRICS}
    recall = {RECALL[name]: means.pop(name) for name in METRICS if name in RECALL}
    of_images = ImageFigures(recall, means.pop("image_auroc"), 0, 0)
    by_category = {
        name: CategoryFigures(ap50=mean_figure(item.cell.figure(name) for item in cells)) for name in categories
    }
    figures = replace(Figures.from_json(means), categories=by_category, of_images=of_images)
    return DrawnCell(
        replace(cells[0].cell, seed=repeat, figures=figures),
        {name: mean_known(np.stack([item.per_category[name] for item in cells])) for name in categories},
        mean_known(np.stack([item.overall for item in cells])),
    )
