"""The light model from exposure pairs, and how well it foretells the other exposure of an object it has not seen.

One response curve and one time per exposure explain all pairs: ``g(z2) - g(z1) = ln t2 - ln t1`` (Debevec & Malik
1997, eq. 3, here with a smooth correction of a linear sensor as ``g`` and Huber's weights against what does not
register). The differences alone leave the curve's scale open; it is set so that the sensor is linear on the whole
between two levels, which makes a stop a stop there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.seeding import rng_for, seed_for
from .exposure_pairs import Pair, find_pairs, groups_of
from .model import Light, LightModel, relight, resolved

KNOTS = 17
BLACK = 1.0
"""Levels added before the logarithm: the fit's correction moves it."""
LINEAR = (50.0, 200.0)
USABLE = (6.0, 245.0)
"""Levels between which a blurred pixel says something: neither black nor burnt out."""
CELLS = 8
"""The brightness field is compared on a grid of this many cells a side."""
MOST_PAIRS = 400


def fit_light(train: Dataset, pattern: str, seed: int, most: int = MOST_PAIRS) -> LightModel:
    """The response, exposures and noise of the training split's photographs; takes seconds.

    Raises:
        InputError: no two exposures of one object could be laid over each other.
    """
    pairs, tried = find_pairs(train, pattern, most, seed_for(seed, "light"))
    if not pairs:
        raise InputError(
            str(train.folder),
            "LIGHT",
            f"of {tried} candidates no two exposures {pattern!r} of one object could be laid over each other",
            "check the expression and the groups",
        )
    names = sorted({name for pair in pairs for name in pair.exposures})
    response, times = _fit_response(pairs, names)
    return LightModel(
        response,
        times,
        pattern,
        _fit_noise(pairs),
        "pairs",
        len(pairs),
        len(groups_of(pairs)),
        {name: _usual(pairs, name) for name in names},
    )


def _fit_response(pairs: Sequence[Pair], names: list[str]) -> tuple[tuple[float, ...], dict[str, float]]:
    """Weighted least squares in the correction at ``KNOTS`` levels and the log times; the first exposure's is 0."""
    lows, highs, rows = [], [], []
    for pair in pairs:
        first, second = (
            cv2.GaussianBlur(side.astype(np.float32), (0, 0), 2)[6:-6:7, 6:-6:7].ravel()
            for side in (pair.first, pair.second)
        )
        usable = (np.minimum(first, second) > USABLE[0]) & (np.maximum(first, second) < USABLE[1])
        lows.append(first[usable])
        highs.append(second[usable])
        rows.append(np.tile([names.index(name) for name in pair.exposures], (int(usable.sum()), 1)))
    low, high, exposures = np.concatenate(lows), np.concatenate(highs), np.concatenate(rows)
    knots = np.linspace(0, 255, KNOTS)
    design = np.hstack([_hats(high, knots) - _hats(low, knots), _steps(exposures, len(names))])
    wanted = np.log(low + BLACK) - np.log(high + BLACK)
    bend = np.diff(np.eye(KNOTS), 2, axis=0)
    penalty = np.zeros((design.shape[1],) * 2)
    scale = _hats(np.array(LINEAR), knots)
    scale = scale[1:] - scale[:1]
    penalty[:KNOTS, :KNOTS] = len(low) * (1e-3 * bend.T @ bend + 1e-6 * np.eye(KNOTS) + 1e3 * scale.T @ scale)
    weights = np.ones(len(low))
    for _ in range(6):
        solution = np.linalg.solve(
            design.T @ (design * weights[:, None]) + penalty + 1e-9 * np.eye(len(penalty)),
            design.T @ (wanted * weights),
        )
        error = np.abs(design @ solution - wanted)
        edge = 2 * max(float(np.median(error)), 1e-4)
        weights = edge / np.maximum(error, edge)
    levels = np.arange(256.0)
    curve = np.log(levels + BLACK) + _hats(levels, knots) @ solution[:KNOTS]
    rising = np.maximum.accumulate(curve + 1e-5 * levels)  # a curve must rise, whatever a handful of pixels say
    rising += 1e-6 * levels
    times = [0.0, *solution[KNOTS:]]
    return tuple(round(float(value), 6) for value in rising), {
        name: round(float(time), 5) for name, time in zip(names, times, strict=True)
    }


def _hats(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """(N, K): the weights with which linear interpolation at ``values`` reads the knots."""
    step = knots[1] - knots[0]
    return np.maximum(0.0, 1 - np.abs(values[:, None] - knots) / step)


def _steps(exposures: np.ndarray, count: int) -> np.ndarray:
    """(N, count - 1): ln t1 - ln t2 as coefficients of all times but the first."""
    chosen = np.eye(count)[:, 1:]
    return chosen[exposures[:, 0]] - chosen[exposures[:, 1]]


def _fit_noise(pairs: Sequence[Pair]) -> tuple[float, float]:
    """(a, b) of variance = a + b * level, from the quietest tenth of small blocks at each level: texture comes on
    top of noise, never below (the difference that cancels planes, after Immerkaer 1996)."""
    levels, variances = [], []
    for pair in pairs[:100]:
        for side in (pair.first, pair.second):
            z = side.astype(np.float32)
            twist = (z[1:, 1:] - z[1:, :-1] - z[:-1, 1:] + z[:-1, :-1]) / 2
            rows, columns = twist.shape[0] // 8, twist.shape[1] // 8
            if rows and columns:
                small = (columns, rows)
                variances.append(cv2.resize(twist[: rows * 8, : columns * 8] ** 2, small, interpolation=cv2.INTER_AREA))
                levels.append(cv2.resize(z[: rows * 8, : columns * 8], small, interpolation=cv2.INTER_AREA))
    level = np.concatenate([part.ravel() for part in levels])
    variance = np.concatenate([part.ravel() for part in variances])
    edges = np.unique(np.percentile(level, np.linspace(0, 100, 13)))
    bins = [(level >= low) & (level < high) for low, high in pairwise(edges)]
    points = [
        (float(level[chosen].mean()), float(np.percentile(variance[chosen], 10)))
        for chosen in bins
        if chosen.sum() >= 20 and level[chosen].mean() < USABLE[1]
    ]
    if len(points) < 2:
        return 0.0, 0.0
    at, quiet = np.array(points).T
    slope = max(0.0, float(np.polyfit(at, quiet, 1)[0]))
    return round(max(0.0, float((quiet - slope * at).mean())), 5), round(slope, 6)


def _usual(pairs: Sequence[Pair], name: str) -> tuple[float, float]:
    sides = [
        side
        for pair in pairs
        for side, own in zip((pair.first, pair.second), pair.exposures, strict=True)
        if own == name
    ]
    return (
        round(float(np.mean([side.mean() for side in sides])), 3),
        round(float(np.mean([side.std() for side in sides])), 3),
    )


Rival = Callable[[Pair, LightModel], np.ndarray]
"""The second exposure as foretold from the first, float (H, W)."""


def _relit(pair: Pair, model: LightModel) -> np.ndarray:
    light = resolved(Light(exposure=pair.exposures[1]), model, pair.files[0])
    return relight(pair.first, Light(light.stops), model, 0).astype(np.float64)


def _one_gain(pair: Pair, model: LightModel) -> np.ndarray:
    own, other = (model.exposures[name] for name in pair.exposures)
    return pair.first * float(np.exp(other - own))


def _matched(first: np.ndarray, mean: float, std: float) -> np.ndarray:
    return (first - first.mean()) / max(float(first.std()), 1e-6) * std + mean


RIVALS: dict[str, Rival] = {
    "light model": _relit,
    "one gain, no curve": _one_gain,
    "as it is": lambda pair, model: pair.first.astype(np.float64),
    "usual mean and std of that exposure": lambda pair, model: _matched(pair.first, *model.levels[pair.exposures[1]]),
    "mean and std of the true photograph": lambda pair, model: _matched(
        pair.first, float(pair.second.mean()), float(pair.second.std())
    ),
}
"""The last one has seen the answer: no way to foretell a photograph, but what a mean and a deviation can reach."""


def evaluate_light(
    model: LightModel, test: Dataset, seed: int, most: int = 200, draws: int = 1000
) -> dict[str, object]:
    """Errors on the pairs of objects the model has not seen, each way round; intervals by objects.

    ``field``: mean absolute error of the low-frequency brightness field (a grid of ``CELLS`` x ``CELLS``), in grey
    levels; ``field_stops``: the same in log2; ``pixel``: mean absolute error of the registered pixels, in grey levels;
    ``fine``: standard deviation of the fine structure over the true one's.
    """
    assert model.pattern is not None
    found, tried = find_pairs(test, model.pattern, most, seed_for(seed, "light test"))
    known = [pair for pair in found if set(pair.exposures) <= model.exposures.keys()]
    both = [turned for pair in known for turned in (pair, _turned(pair))]
    if not both:
        return {"pairs": 0, "tried": tried, "objects": 0, "rivals": {}}
    groups = np.array([pair.group for pair in both])
    table = {
        name: np.array([errors(rival(pair, model), pair.second) for pair in both]) for name, rival in RIVALS.items()
    }
    return {
        "pairs": len(known),
        "tried": tried,
        "objects": len(groups_of(known)),
        "directions": len(both),
        "rivals": {
            name: {figure: interval(rows[:, at], groups, seed, draws) for at, figure in enumerate(FIGURES)}
            for name, rows in table.items()
        },
    }


FIGURES = ("field", "field_stops", "pixel", "fine")


def errors(foretold: np.ndarray, true: np.ndarray) -> tuple[float, float, float, float]:
    """The four figures of :func:`evaluate_light` for one photograph."""
    pixel = float(np.abs(foretold.clip(0, 255) - true).mean())
    fields = [
        cv2.resize(side.astype(np.float32).clip(0, 255), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        for side in (foretold, true)
    ]
    stops = float(np.abs(np.log2((fields[0] + 1) / (fields[1] + 1))).mean())
    fine = [
        float((side - cv2.GaussianBlur(side, (0, 0), 2)).std())
        for side in (foretold.astype(np.float32), true.astype(np.float32))
    ]
    return float(np.abs(fields[0] - fields[1]).mean()), stops, pixel, fine[0] / max(fine[1], 1e-6)


def interval(values: np.ndarray, groups: np.ndarray, seed: int, draws: int) -> dict[str, float]:
    """Mean and the middle 95 % of means over objects drawn with replacement."""
    names = sorted(set(groups))
    sums = np.array([values[groups == name].sum() for name in names])
    counts = np.array([(groups == name).sum() for name in names])
    chosen = rng_for(seed, "interval").integers(len(names), size=(draws, len(names)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _turned(pair: Pair) -> Pair:
    return Pair(
        pair.second,
        pair.first,
        (pair.exposures[1], pair.exposures[0]),
        pair.group,
        (pair.files[1], pair.files[0]),
        (-pair.shift_yx[0], -pair.shift_yx[1]),
        pair.correlation,
    )
