"""How much likelier a mask lies here than anywhere, learned from few real masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..statistics.shape_density import object_weights, scatter

TAIL = 6.0
"""Degrees of freedom of the two Student densities."""
UNRELATED = 0.3
"""Share of every correlation that is not believed."""
LEAST = 0.15
"""Spread of every feature below which a difference says nothing."""
MOST = 4.0
"""The ratio is kept within ± this many nats: few masks cannot show more."""


@dataclass(frozen=True, eq=False)
class PlaceRatio:
    """ln p(features | real place) − ln p(features | any place), two Student densities.

    Centre and covariance of the real places are shrunk from n objects towards those of any place, which count as
    ``shrinkage`` objects: with few examples the ratio goes to 0, that is, to "cannot tell".
    """

    real: tuple[np.ndarray, np.ndarray]
    any: tuple[np.ndarray, np.ndarray]

    @classmethod
    def fit(cls, real: np.ndarray, groups: Sequence[str], anywhere: np.ndarray, shrinkage: float) -> Self:
        """From the features of real places (N, P) of the objects ``groups`` (N,), and of any places (M, P)."""
        weights, objects = object_weights(groups), len(set(groups))
        middle = anywhere.mean(axis=0)
        around = scatter(anywhere - middle, np.full(len(anywhere), 1 / len(anywhere)))
        share = objects / (objects + shrinkage)
        centre = share * (weights @ real) + (1 - share) * middle
        return cls(
            (centre, _believed(share * scatter(real - centre, weights) + (1 - share) * around)),
            (middle, _believed(around)),
        )

    def score(self, features: np.ndarray) -> float:
        """The ratio in nats of one place (P,)."""
        return float(np.clip(_log_density(features, *self.real) - _log_density(features, *self.any), -MOST, MOST))

    def state(self) -> dict[str, object]:
        return {name: [part.tolist() for part in getattr(self, name)] for name in ("real", "any")}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        first, second = ((np.array(state[name][0], float), np.array(state[name][1], float)) for name in ("real", "any"))
        return cls(first, second)


def _believed(covariance: np.ndarray) -> np.ndarray:
    return (1 - UNRELATED) * covariance + UNRELATED * np.diag(np.diag(covariance)) + LEAST**2 * np.eye(len(covariance))


def _log_density(value: np.ndarray, centre: np.ndarray, covariance: np.ndarray) -> float:
    away = value - centre
    distance = float(away @ np.linalg.solve(covariance, away))
    return -(TAIL + len(value)) / 2 * float(np.log1p(distance / TAIL)) - 0.5 * float(np.linalg.slogdet(covariance)[1])
