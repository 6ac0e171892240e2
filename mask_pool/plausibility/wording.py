"""Why a mask was rated so, in plain words."""

from __future__ import annotations

import numpy as np

from ..statistics.shape_density import ShapeDensity, weighted_quantile
from ..statistics.shape_statistics import NAMES, SPREADS, WORDS

STRIKING = 0.95
"""Share of the real masks from which a difference is worth a word."""
MOST_WORDS = 3


def shape_words(shapes: ShapeDensity, value: np.ndarray) -> tuple[str, ...]:
    """How a shape (F,) differs from nearly all real ones, the strangest first; nothing where it does not."""
    if not len(shapes.values):
        return ()
    shares, count = shapes.share_below(value), len(shapes.values)
    middle = weighted_quantile(shapes.values, shapes.weights, 0.5)
    far = (value - middle) / shapes.scale
    words = []
    for index in np.argsort(-np.abs(far), kind="stable"):
        name, high = NAMES[index], far[index] > 0
        share = float(shares[index] if high else 1.0 - shares[index])
        if name in WORDS and share >= STRIKING and abs(value[index] - middle[index]) > SPREADS[index]:
            words.append(f"{WORDS[name][0 if high else 1]} than {_of_reals(share, count)}")
    return tuple(words[:MOST_WORDS])


def place_words(share_below: float, count: int) -> tuple[str, ...]:
    """A word on the place where nearly all real masks lie at a likelier one."""
    if share_below > 1 - STRIKING:
        return ()
    return (f"at a less likely place than {_of_reals(1.0 - share_below, count)}",)


def _of_reals(share: float, count: int) -> str:
    if share >= 1.0 - 1e-9:
        return "the only real mask" if count == 1 else f"all {count} real masks"
    return f"{int(100 * share + 1e-9)} % of the real masks"
