"""Resampling of whole objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anomaly_gan.core.seeding import rng_for, seed_for

from ..elements.real import Element


def deal(elements: dict[str, list[Element]], seed: int) -> list[str]:
    """All objects, category by category (an object counts for its first), shuffled within: deal them round."""
    first: dict[str, str] = {}
    for name, own in elements.items():
        for one in own:
            first.setdefault(one.parent_group, name)
    return sorted(first, key=lambda group: (first[group], seed_for(seed, "judge study", group), group))


def bootstrap(
    groups: Sequence[str], statistic: Callable[[np.ndarray], float], resamples: int, seed: int, *names: object
) -> tuple[float, float] | None:
    """95 % interval of ``statistic(row indices)`` under resampling of whole groups; None with fewer than three."""
    members = [np.flatnonzero(np.asarray(groups) == name) for name in sorted(set(groups))]
    if len(members) < 3:
        return None
    rng = rng_for(seed, "bootstrap", *names)
    values = [
        statistic(np.concatenate([members[index] for index in rng.integers(len(members), size=len(members))]))
        for _ in range(resamples)
    ]
    known = [value for value in values if not np.isnan(value)]
    return (float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975))) if known else None
