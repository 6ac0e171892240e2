"""How a figure of a control card follows what was asked for, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

TARGET = 0.9
"""The rank correlation from which on a control counts as met."""

Row = dict[str, Any]
"""What was measured on one mask."""


def by_category(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each category, by name."""
    names = sorted({row["category"] for row in rows})
    return {name: [row for row in rows if row["category"] == name] for name in names}


def rho(asked: ArrayLike, found: ArrayLike) -> float:
    """Spearman's rho; 0 where a side is constant: what never changes follows nothing."""
    if np.ptp(asked) == 0 or np.ptp(found) == 0:
        return 0.0
    return float(spearmanr(asked, found).statistic)


def over_masks(
    groups: Sequence[Sequence[Row]], measure: Callable[[Sequence[Row]], float], draws: int, rng: np.random.Generator
) -> dict[str, float]:
    """The mean over groups (categories) of a rho, and the middle 95 % over masks drawn with replacement."""
    drawn = [
        np.mean([measure([rows[at] for at in rng.integers(len(rows), size=len(rows))]) for rows in groups])
        for _ in range(draws)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "rho": round(float(np.mean([measure(rows) for rows in groups])), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
