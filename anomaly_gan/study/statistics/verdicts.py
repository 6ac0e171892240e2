"""From draws to a verdict: two-sided p, Holm's correction, and how many objects a question needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.05
NO_DIFFERENCE = "no difference shown"


def p_value(drawn: np.ndarray) -> float | None:
    """Two-sided bootstrap p of "no difference": twice the share of draws (N,) on the rarer side of zero.

    (1 + count) / (1 + N), so that it is never 0 (Davison & Hinkley 1997, "Bootstrap Methods", eq. 4.11); None
    without draws.
    """
    if len(drawn) < 2:
        return None
    below, above = int(np.count_nonzero(drawn <= 0)), int(np.count_nonzero(drawn >= 0))
    return min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values in the given order (Holm 1979, Scand. J. Statist. 6).

    The i-th smallest of k (from 0) is multiplied by k - i; none may be smaller than the one before; capped at 1.
    None (no comparison) stays None and does not count.
    """
    known = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    result: list[float | None] = [None] * len(p_values)
    running = 0.0
    for step, (value, place) in enumerate(known):
        running = max(running, min(1.0, value * (len(known) - step)))
        result[place] = running
    return result


def holm_verdict(plain: str, adjusted: float | None, level: float = LEVEL) -> str:
    """The plain verdict where it survives the correction, else ``no difference shown``."""
    return plain if adjusted is not None and adjusted <= level else NO_DIFFERENCE


def objects_needed(
    sd_objects: float, objects: int, difference: float = 0.05, power: float = 0.8, level: float = LEVEL
) -> int:
    """How many defective test objects show a true ``difference`` with this power at this two-sided level.

    Normal approximation: the paired difference over ``objects`` defective objects has standard deviation
    ``sd_objects`` (the bootstrap spread over objects), so one object has sigma = sd_objects sqrt(objects), and
    n = ((z(1 - level / 2) + z(power)) sigma / difference)^2, rounded up. Training noise, which more seeds reduce
    and more objects do not, is not in it.
    """
    sigma = sd_objects * math.sqrt(objects)
    z = float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power))
    return max(1, math.ceil((z * sigma / difference) ** 2))
