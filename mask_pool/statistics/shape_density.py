"""How usual a mask's shape is among few real ones: a heavy-tailed normal density that leans on all categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .shape_statistics import NAMES, SPREADS

TAIL = 4.0
"""Degrees of freedom of the Student density: one odd statistic is punished, not fatal."""
UNRELATED = 0.5
"""Share of every correlation between two statistics that is not believed."""


def object_weights(groups: Sequence[str]) -> np.ndarray:
    """Weights (N,) that sum to 1: every object counts alike, however often it was photographed."""
    _, place, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return 1.0 / (count[place] * len(count)) if len(place) else np.zeros(0)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """The ``share`` quantile of each column of ``values`` (N, F): the least value with that much weight up to it."""
    order = np.argsort(values, axis=0, kind="stable")
    summed = np.cumsum(weights[order], axis=0)
    row = np.argmax(summed >= share * summed[-1] - 1e-12, axis=0)
    return np.take_along_axis(values, np.take_along_axis(order, row[None], axis=0), axis=0)[0]


def robust_spread(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1.4826 × the median absolute deviation of every column of (N, F), weighted."""
    middle = weighted_quantile(values, weights, 0.5)
    return 1.4826 * weighted_quantile(np.abs(values - middle), weights, 0.5)


@dataclass(frozen=True, eq=False)
class ShapeDensity:
    """Real shapes ``values`` (N, F) of one category with ``weights`` (N,), and a Student density around their median.

    ``centre`` (F,) is the weighted median; ``covariance`` (F, F) the mean outer product of the distances from it,
    shrunk from n objects towards that pooled over all categories, which counts as ``shrinkage`` objects; half of
    every correlation is not believed, and half of ``SPREADS`` is added to every spread.

    Chosen on the training splits of tiles, rails and screws, beside a kernel density and independent statistics.
    """

    values: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "_precision", np.linalg.inv(self.covariance))
        object.__setattr__(self, "_half_log_det", 0.5 * float(np.linalg.slogdet(self.covariance)[1]))

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        groups: Sequence[str],
        all_values: np.ndarray,
        all_groups: Sequence[str],
        all_categories: Sequence[str],
        shrinkage: float,
    ) -> Self:
        """From a category's shapes (N, F), N may be 0, and those of all categories (M, F), M at least 1.

        A category without masks takes the centre and the spread of all.

        Args:
            values: (N, F) of the category.
            groups: their objects.
            all_values: (M, F) of all categories.
            all_groups: their objects.
            all_categories: their categories.
            shrinkage: objects that all categories together are worth beside its own.

        Returns:
            The density.
        """
        weights, objects = object_weights(groups), len(set(groups))
        if not objects:
            all_weights = object_weights(all_groups)
            centre = weighted_quantile(all_values, all_weights, 0.5)
            return cls(values, weights, centre, _believed(scatter(all_values - centre, all_weights)))
        centre = weighted_quantile(values, weights, 0.5)
        names = np.asarray(all_categories)
        pooled = np.zeros((values.shape[1], values.shape[1]))
        for name in sorted(set(all_categories)):
            members = np.flatnonzero(names == name)
            share = object_weights([all_groups[int(index)] for index in members])
            own = all_values[members]
            pooled += scatter(own - weighted_quantile(own, share, 0.5), share) * len(members) / len(names)
        mixed = (objects * scatter(values - centre, weights) + shrinkage * pooled) / (objects + shrinkage)
        return cls(values, weights, centre, _believed(mixed))

    @property
    def scale(self) -> np.ndarray:
        """Spread (F,) of each statistic."""
        return np.sqrt(np.diag(self.covariance))

    def log_density(self, value: np.ndarray) -> float:
        """ln p of one shape (F,), up to a constant."""
        away = value - self.centre
        distance = float(away @ self._precision @ away)  # type: ignore[attr-defined]
        half_log_det: float = self._half_log_det  # type: ignore[attr-defined]
        return -(TAIL + len(value)) / 2 * float(np.log1p(distance / TAIL)) - half_log_det

    def share_below(self, value: np.ndarray) -> np.ndarray:
        """(F,): the share of the category's real masks that lie below each statistic, ties counted half."""
        below = (self.values < value - 1e-9) + 0.5 * (np.abs(self.values - value) <= 1e-9)
        return np.asarray(self.weights @ below)

    def state(self) -> dict[str, object]:
        return {name: getattr(self, name).tolist() for name in ("values", "weights", "centre", "covariance")}

    @classmethod
    def from_state(cls, state: dict[str, object]) -> Self:
        return cls(
            np.array(state["values"], float).reshape(-1, len(NAMES)),
            *(np.array(state[name], float) for name in ("weights", "centre", "covariance")),
        )


def scatter(away: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted covariance (F, F) of deviations (N, F) from their centre; ``weights`` (N,) sum to 1."""
    return np.asarray((away * weights[:, None]).T @ away)


def _believed(covariance: np.ndarray) -> np.ndarray:
    variances = np.diag(np.diag(covariance))
    return (1 - UNRELATED) * covariance + UNRELATED * variances + np.diag((np.array(SPREADS) / 2) ** 2)
