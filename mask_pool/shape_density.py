"""How usual a mask's shape is among few real ones: a robust kernel density that leans on all categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from .shape_statistics import NAMES, SPREADS

TAIL = 4.0
"""Degrees of freedom of the kernels: one odd statistic is punished, not fatal."""
POOLED_OBJECTS = 4.0
"""Objects that the spread pooled over the categories is worth beside a category's own spread."""


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
    """Real shapes ``values`` (N, F) of one category with ``weights`` (N,), and those of all as a broad background.

    p = (n · kernels on the category's masks + k · kernels on all masks) / (n + k), n objects, k ``shrinkage``; kernels
    are products of Student t densities. ``scale`` (F,) is the category's robust spread, shrunk towards the mean over
    the categories, times the bandwidth n^(-1/(F+4)) (Silverman's rate); ``all_scale`` is that of all masks.
    """

    values: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    all_values: np.ndarray
    all_weights: np.ndarray
    all_scale: np.ndarray
    own_share: float

    @classmethod
    def fit(cls, values: np.ndarray, groups: Sequence[str], all_values: np.ndarray, all_groups: Sequence[str],
            all_categories: Sequence[str], shrinkage: float) -> Self:
        """From a category's shapes (N, F), N may be 0, and those of all categories (M, F), M at least 1."""
        weights, all_weights = object_weights(groups), object_weights(all_groups)
        objects, floor, names = len(set(groups)), np.array(SPREADS), np.asarray(all_categories)
        pooled = np.mean([robust_spread(all_values[names == name],
                                        object_weights([all_groups[i] for i in np.flatnonzero(names == name)])) ** 2
                          for name in sorted(set(all_categories))], axis=0)
        own = robust_spread(values, weights) ** 2 if objects else 0.0
        spread = np.sqrt((objects * own + POOLED_OBJECTS * pooled) / (objects + POOLED_OBJECTS))
        rate = -1.0 / (all_values.shape[1] + 4)
        everybody = np.maximum(robust_spread(all_values, all_weights), floor)
        return cls(values, weights, np.maximum(spread, floor) * max(objects, 1) ** rate, all_values, all_weights,
                   everybody * len(set(all_groups)) ** rate, objects / (objects + shrinkage) if objects else 0.0)

    def log_density(self, value: np.ndarray) -> float:
        """ln p of one shape (F,), up to a constant; never less than the background's heavy tails."""
        terms = []
        if self.own_share > 0:
            terms.append(np.log(self.own_share) + _kernels(value, self.values, self.weights, self.scale))
        if self.own_share < 1:
            terms.append(np.log1p(-self.own_share) + _kernels(value, self.all_values, self.all_weights, self.all_scale))
        return float(logsumexp(terms))

    def share_below(self, value: np.ndarray) -> np.ndarray:
        """(F,): the share of the category's real masks that lie below each statistic, ties counted half."""
        below = (self.values < value - 1e-9) + 0.5 * (np.abs(self.values - value) <= 1e-9)
        return np.asarray(self.weights @ below)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).tolist() for name in _ARRAYS} | {"own_share": self.own_share}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        arrays = {name: np.array(state[name], float) for name in _ARRAYS}
        for name in ("values", "all_values"):
            arrays[name] = arrays[name].reshape(-1, len(NAMES))
        return cls(**arrays, own_share=float(state["own_share"]))


_ARRAYS = ("values", "weights", "scale", "all_values", "all_weights", "all_scale")


def _kernels(value: np.ndarray, centres: np.ndarray, weights: np.ndarray, scale: np.ndarray) -> float:
    far = ((value - centres) / scale) ** 2
    logs = -(TAIL + 1) / 2 * np.log1p(far / TAIL).sum(axis=1) - np.log(scale).sum()
    return float(logsumexp(logs, b=weights))
