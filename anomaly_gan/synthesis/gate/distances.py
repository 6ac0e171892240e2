"""Figures of one category: generated against real, each beside real against real at the same N.

The reference: the real training defects are split by physical object into random halves, several times. Both the
real and the generated figure compare N photographs with the same N of one half, so both carry the same bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...metrics.frechet import frechet_distance
from ...metrics.kernel import kernel_distance
from ...metrics.perceptual import pairwise_distances
from .config import GateConfig

Figures = dict[str, Any]
"""Of one view: by name of a distance its figures (None where N carries none), and how many photographs stand behind."""


@dataclass(frozen=True)
class View:
    """One way of looking at a category's photographs (whole, or defect crops), row for row.

    ``pooled`` (N, D) and ``embedded`` (N, K) are the features; ``groups`` the physical objects of the real ones.
    """

    real_pooled: np.ndarray
    real_embedded: np.ndarray
    groups: Sequence[str]
    fake_pooled: np.ndarray
    fake_embedded: np.ndarray


def figures(view: View, names: dict[str, str], config: GateConfig, rng: np.random.Generator) -> Figures:
    """All figures of a view under their names; a figure that N does not carry is None, with the ``reason``.

    ``all``: every generated photograph against every real one, as papers report it; it decides nothing, as a smaller
    or larger N alone moves it.
    """
    real, fake = len(view.groups), len(view.fake_pooled)
    halves = [_halves(view.groups, rng) for _ in range(config.repeats)]
    n = min([fake, *(len(half) for pair in halves for half in pair)])
    result: Figures = {"real": real, "generated": fake, "n": n, "repeats": config.repeats}
    if n < config.min_n:
        reason = (
            f"{fake} generated and {real} real photographs of {len(set(view.groups))} objects allow a "
            f"comparison of {n} with {n}; fewer than {config.min_n} carry no figure"
        )
        return {**result, "reason": reason, **dict.fromkeys(names.values())}
    draws = [
        (half, other, rng.choice(fake, n, replace=False))
        for half, other in ((rng.choice(a, n, replace=False), rng.choice(b, n, replace=False)) for a, b in halves)
    ]
    result[names["frechet"]] = _distances(frechet_distance, view, draws)
    result[names["kernel"]] = _distances(kernel_distance, view, draws)
    result[names["perceptual"]] = _perceptual(view)
    result["all"] = {
        names[kind]: _rounded(distance(view.real_pooled, view.fake_pooled))
        for kind, distance in (("frechet", frechet_distance), ("kernel", kernel_distance))
    }
    return result


def _halves(groups: Sequence[str], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of two halves; an object lies whole in one, and each goes to the half that is smaller."""
    names, rows_of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    halves: tuple[list[int], list[int]] = ([], [])
    for index in rng.permutation(len(names)):
        min(halves, key=len).extend(np.flatnonzero(rows_of == index).tolist())
    return np.array(halves[0], dtype=int), np.array(halves[1], dtype=int)


def _distances(
    distance: Callable[[np.ndarray, np.ndarray], float],
    view: View,
    draws: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> dict[str, object]:
    """Mean and 5th to 95th percentile over the halves, generated and real; the ratio of the means where no mean can
    be negative; and ``over_p95``, the generated mean over the real 95th percentile: above 1 it is no chance."""
    real = [distance(view.real_pooled[half], view.real_pooled[other]) for half, other, _ in draws]
    fake = [distance(view.real_pooled[half], view.fake_pooled[chosen]) for half, _, chosen in draws]
    reference = float(np.mean(real))
    ratio = float(np.mean(fake)) / reference if distance is frechet_distance and reference > 0 else None
    p95 = float(np.percentile(real, 95))
    return {
        "generated": _summary(fake),
        "real": _summary(real),
        "ratio": _rounded(ratio),
        "over_p95": _rounded(float(np.mean(fake)) / p95 if p95 > 0 else None),
    }


def _summary(values: Sequence[float]) -> dict[str, float | None]:
    return {
        "mean": _rounded(float(np.mean(values))),
        "p05": _rounded(float(np.percentile(values, 5))),
        "p95": _rounded(float(np.percentile(values, 95))),
    }


def _perceptual(view: View) -> dict[str, object]:
    """Distance to the nearest and to a random real photograph, and between pairs (diversity).

    Real photographs are compared with those of other objects only. ``near_copies`` counts generated ones that lie
    nearer to a real one than any two real objects to each other.
    """
    between = pairwise_distances(view.fake_embedded, view.real_embedded)
    among_real = pairwise_distances(view.real_embedded, view.real_embedded)
    among_fake = pairwise_distances(view.fake_embedded, view.fake_embedded)
    groups = np.asarray(view.groups, dtype=str)
    other = groups[:, None] != groups[None]
    real_nearest = np.where(other, among_real, np.inf).min(axis=1)
    real_pairs = float(among_real[other].mean())
    fake_pairs = float(among_fake[~np.eye(len(among_fake), dtype=bool)].mean())
    return {
        "nearest_real": {
            "generated": _rounded(float(between.min(axis=1).mean())),
            "real": _rounded(float(real_nearest.mean())),
        },
        "random_real": {"generated": _rounded(float(between.mean())), "real": _rounded(real_pairs)},
        "pairs": {
            "generated": _rounded(fake_pairs),
            "real": _rounded(real_pairs),
            "ratio": _rounded(fake_pairs / real_pairs if real_pairs > 0 else None),
        },
        "near_copies": int(np.count_nonzero(between.min(axis=1) < real_nearest.min())),
    }


def _rounded(value: float | None) -> float | None:
    """Six decimals; what is not finite becomes None, which every verdict treats as not passed (I7)."""
    return round(value, 6) if value is not None and np.isfinite(value) else None
