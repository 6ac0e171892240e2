"""One number per defect, generated beside real: how many generated ones lie outside everything real?

The reference is real against real: of every object, the share of its defects outside the range of all other objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..config import GateConfig
from ..results import Level


@dataclass(frozen=True)
class Spread:
    """``low`` and ``high`` bound the real values; ``below`` and ``above`` are the shares of generated ones outside, and
    ``expected`` the share of a further real object's that would be. ``chance``: how likely so many objects would be
    outside, were all drawn alike."""

    real_median: float
    made_median: float
    low: float
    high: float
    below: float
    above: float
    expected: float
    objects: int
    chance: float

    @property
    def outside(self) -> float:
        return self.below + self.above

    def level(self, config: GateConfig) -> Level:
        """``fail`` and ``warn`` by the share outside beyond what is expected of real ones; what few objects may come to
        by chance is no fail."""
        excess = self.outside - self.expected
        if excess >= config.fail_outside and self.chance <= config.most_by_chance:
            return "fail"
        return "warn" if excess >= config.warn_outside else "pass"

    def to_json(self) -> dict[str, object]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


def spread(
    real: Sequence[tuple[str, float]], made: Sequence[tuple[str, float]], one_sided: bool = False
) -> Spread | None:
    """The comparison of (object, value) pairs; None where one side is empty or all real ones are of one object.

    ``one_sided``: a value is a distance, and only what lies above the real ones is outside. An object counts as outside
    where half of its values are.
    """
    groups = sorted({group for group, _ in real})
    if not made or len(groups) < 2:
        return None
    values, new = np.array([value for _, value in real]), np.array([value for _, value in made])
    owner = np.array([group for group, _ in real], dtype=str)
    shares = []
    for group in groups:
        rest, own = values[owner != group], values[owner == group]
        below = np.zeros(len(own), bool) if one_sided else own < rest.min()
        shares.append(float(np.mean(below | (own > rest.max()))))
    low, high = float(values.min()), float(values.max())
    over, under = new > high, np.zeros(len(new), bool) if one_sided else new < low
    return Spread(
        float(np.median(values)),
        float(np.median(new)),
        low,
        high,
        float(np.mean(under)),
        float(np.mean(over)),
        float(np.mean(shares)),
        len(groups),
        chance_of(len(groups), [group for group, _ in made], over, None if one_sided else under),
    )


def chance_of(real: int, made: Sequence[str], over: np.ndarray, under: np.ndarray | None) -> float:
    """:func:`by_chance` of the objects in ``made`` of whose defects (N,) at least half are over, or under, everything
    of ``real`` objects; ``under`` None: there is but one end."""
    owner = np.array(made, dtype=str)
    names = sorted(set(made))
    high, low = (
        0 if beyond is None else sum(float(beyond[owner == name].mean()) >= 0.5 for name in names)
        for beyond in (over, under)
    )
    of_one = by_chance(real, len(names), max(high, low), 1)
    return of_one if under is None else min(by_chance(real, len(names), high + low, 2), 2 * of_one)


def by_chance(real: int, made: int, outside: int, ends: int) -> float:
    """How likely at least ``outside`` of ``made`` objects lie beyond all ``real`` ones, at one end (1) or at both
    together (2), where every order of them all is as likely."""
    beyond = sum(
        math.comb(count + ends - 1, ends - 1) * math.comb(made - count + real - ends, real - ends)
        for count in range(outside, made + 1)
    )
    return beyond / math.comb(made + real, real)


def nearest(
    real: Sequence[tuple[str, np.ndarray]], made: Sequence[tuple[str, np.ndarray]]
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Points (N,) in place of numbers: each real one by its distance to the nearest of another object, each generated
    one by that to the nearest real one; (object, distance) pairs for :func:`spread`."""
    if not real:
        return [], []
    points, owner = np.stack([point for _, point in real]), np.array([group for group, _ in real], dtype=str)

    def least(point: np.ndarray, group: str | None) -> float:
        others = points if group is None else points[owner != group]
        return float(np.linalg.norm(others - point, axis=1).min()) if len(others) else float("nan")

    of_real = [(group, least(point, group)) for group, point in real]
    of_made = [(group, least(point, None)) for group, point in made]
    return [(g, v) for g, v in of_real if np.isfinite(v)], of_made
