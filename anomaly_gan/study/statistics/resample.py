"""Drawing test objects and seeds again: one draw for all arms, so that differences stay paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.seeding import rng_for
from detection.evaluation.statistics import mean_known, resampled_ap50

from .cells import StudyCell


@dataclass(frozen=True)
class DrawnCell:
    """A cell and its AP at IoU 0.5 under resampled test objects: per category and over all, each (draws,).

    NaN where a draw holds no true instance.
    """

    cell: StudyCell
    per_category: dict[str, np.ndarray]
    overall: np.ndarray

    def values(self, category: str | None) -> np.ndarray:
        """(draws,) AP of one category, or the mean over the categories where ``category`` is None."""
        return self.overall if category is None else self.per_category[category]


def draw_cells(cells: Sequence[StudyCell], draws: int, seed: int) -> list[DrawnCell]:
    """Every cell under the same draws of its fold's test objects.

    Cells evaluated on the same objects (all arms, detectors, seeds and variants of a fold) see the same draws; other
    objects are drawn independently.

    Raises:
        InputError: K8 two cells of one fold, arm and detector were evaluated on different objects.
    """
    weights: dict[tuple[int, tuple[str, ...]], np.ndarray] = {}
    objects_of: dict[int, tuple[str, ...]] = {}
    drawn = []
    for cell in cells:
        if objects_of.setdefault(cell.fold, cell.objects) != cell.objects:
            raise InputError(
                f"fold {cell.fold}", "K8", "its cells were evaluated on different objects", "run the older ones again"
            )
        key = cell.fold, cell.objects
        if key not in weights:
            name = sha256_bytes("\n".join(cell.objects).encode())
            weights[key] = drawn_counts(len(cell.objects), draws, rng_for(seed, "study", "objects", cell.fold, name))
        per_category = {name: resampled_ap50(matches, weights[key]) for name, matches in cell.matches.items()}
        overall = mean_known(np.stack(list(per_category.values()))) if per_category else np.full(draws, np.nan)
        drawn.append(DrawnCell(cell, per_category, overall))
    return drawn


def drawn_counts(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, count): how often each of ``count`` units is drawn when ``count - 1`` are drawn with replacement.

    One fewer than there are, so that the spread of the drawn means is s^2 / count with s^2 unbiased; drawing
    ``count`` would understate it by 1 / count, a third at three seeds (Rao & Wu 1988, JASA 83(401), "Resampling
    inference with complex survey data", m = n - 1). A single unit is always drawn once.
    """
    return rng.multinomial(max(1, count - 1), np.full(count, 1 / count), size=draws)


def seed_weights(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, count) shares of the seeds, each row summing to 1."""
    return drawn_counts(count, draws, rng) / max(1, count - 1)
