"""Severity as one number: from the faintest (0) to the strongest (1) training defect of a category.

A model keeps what ``losses.severity`` measured on its training defects: the log ratio of the defect's mean intensity
to its surroundings', and the standard deviation inside. Most categories are darker than their surroundings, or
brighter; the scale goes along that side. No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....core.errors import ConfigError
from ...relighting.model import NUMBER

BANDWIDTH = 0.1
"""Share of the scale over which the roughness of neighbouring defects is averaged."""


@dataclass(frozen=True)
class SeverityScale:
    """A category's scale. ``sign``: -1 where its defects are darker than their surroundings. ``strengths``: how far
    the log ratio goes to that side, rising; ``roughness``: the standard deviation inside, in the same order."""

    sign: int
    strengths: tuple[float, ...]
    roughness: tuple[float, ...]

    @classmethod
    def of(cls, bank: Sequence[Sequence[float]]) -> SeverityScale:
        """The scale of a category's bank of (log ratio, standard deviation); defects of the other side are left out."""
        rows = np.array(bank, float)
        sign = -1 if np.median(rows[:, 0]) < 0 else 1
        side = rows[sign * rows[:, 0] > 0] if (sign * rows[:, 0] > 0).any() else rows
        side = side[np.argsort(sign * side[:, 0], kind="stable")]
        return cls(sign, tuple((sign * side[:, 0]).tolist()), tuple(side[:, 1].tolist()))

    def at(self, quantile: float) -> list[float]:
        """(log ratio, standard deviation) of the training defects' ``quantile`` in [0, 1]; continuous in it."""
        places = (np.arange(len(self.strengths)) + 0.5) / len(self.strengths)
        near = np.exp(-0.5 * ((places - quantile) / BANDWIDTH) ** 2)
        rough = float((near * self.roughness).sum() / near.sum())
        return [self.sign * float(np.quantile(self.strengths, quantile)), rough]

    def of_contrast(self, contrast: float) -> list[float]:
        """(``contrast``, the roughness that training defects of that strength have): ``contrast`` is a log ratio."""
        quantile = float(np.mean(np.array(self.strengths) <= self.sign * contrast))
        return [contrast, self.at(quantile)[1]]


def parse_severity(text: str) -> tuple[str, float]:
    """``0.7``: a quantile of the training defects; ``contrast=-0.4``: the log ratio itself.

    Raises:
        ConfigError: neither, or a quantile beyond 0 and 1.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        name, value = "quantile", name
    if name not in {"quantile", "contrast"} or not re.fullmatch(NUMBER, value):
        raise ConfigError(
            f"--severity {text}: write a share like 0.7 (of the training defects, from faint to strong), "
            "or contrast=-0.4 (log of the ratio to the surroundings)"
        )
    number = float(value)
    if name == "quantile" and not 0 <= number <= 1:
        raise ConfigError(f"--severity {text}: must lie between 0 and 1")
    if name == "contrast" and abs(number) > 3:
        raise ConfigError(f"--severity {text}: at most 3 either way (log of the ratio to the surroundings)")
    return name, number


def wanted_severity(asked: tuple[str, float] | None, bank: Sequence[Sequence[float]]) -> list[float] | None:
    """What to ask the generator for; None where chance shall draw a training defect's."""
    if asked is None:
        return None
    scale = SeverityScale.of(bank)
    return scale.at(asked[1]) if asked[0] == "quantile" else scale.of_contrast(asked[1])
