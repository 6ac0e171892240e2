"""From a plausibility's two parts to the scores that experts gave, learned from few rated masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..scoring.ratings import HIGHEST, LOWEST

RIDGE = 2.0
"""Rated masks that "the parts say nothing" is worth."""
MIN_RATED = 8
"""Fewer rated masks than this calibrate nothing."""


@dataclass(frozen=True)
class Calibration:
    """score = intercept + Σ weights · parts, in [LOWEST, HIGHEST]; no weight is negative: better is never worse."""

    weights: tuple[float, ...]
    intercept: float

    @classmethod
    def fit(cls, parts: np.ndarray, scores: np.ndarray) -> Self:
        """Ridge regression with weights ≥ 0 of ``scores`` (N,) on ``parts`` (N, P), standardised.

        Raises:
            ValueError: fewer than ``MIN_RATED`` masks, or the arrays do not fit.
        """
        if parts.ndim != 2 or scores.shape != parts.shape[:1] or len(scores) < MIN_RATED:
            raise ValueError(f"{parts.shape} parts and {scores.shape} scores; {MIN_RATED} rated masks are needed")
        # loading scikit-learn takes a second, which only a calibration has to wait for
        from sklearn.linear_model import Ridge

        spread = np.maximum(parts.std(axis=0), 1e-6)
        middle = parts.mean(axis=0)
        model = Ridge(alpha=RIDGE, positive=True).fit((parts - middle) / spread, scores)
        weights = model.coef_ / spread
        return cls(tuple(float(weight) for weight in weights), float(model.intercept_ - weights @ middle))

    def score(self, parts: np.ndarray) -> np.ndarray:
        """Scores (N,) in [LOWEST, HIGHEST] of parts (N, P)."""
        return np.clip(parts @ np.array(self.weights) + self.intercept, LOWEST, HIGHEST)

    def state(self) -> dict[str, object]:
        return {"weights": list(self.weights), "intercept": self.intercept}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(tuple(float(weight) for weight in state["weights"]), float(state["intercept"]))
