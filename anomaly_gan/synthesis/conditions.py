"""What a user asks of a painted defect besides its mask: severity and light."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from ..core.config import Config

MOST_STOPS = 6.0


class SeverityWindow(Config):
    """Which training defects' severities are asked for: from quantile ``low`` to ``high`` of each category's scale,
    from the faintest (0) to the strongest (1)."""

    low: float = Field(0.0, ge=0, le=1)
    high: float = Field(1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low: {self.low:g} is above high, {self.high:g}")
        return self


class LightDraw(Config):
    """Each photograph is relit before it is painted: by stops from the first to the second of ``stops``, and by a
    gradient of at most ``slope`` stops across the frame, to any side."""

    stops: tuple[float, float] = (-0.5, 0.5)
    slope: float = Field(0.0, ge=0, le=MOST_STOPS)

    @model_validator(mode="after")
    def _in_reach(self) -> Self:
        if not -MOST_STOPS <= self.stops[0] <= self.stops[1] <= MOST_STOPS:
            raise ValueError(
                f"stops: {self.stops[0]:g} to {self.stops[1]:g} must rise, between {-MOST_STOPS:g} and {MOST_STOPS:g}"
            )
        return self


class Control(Config):
    """Both, each None where it is left to the training's own distribution and the photographs' own light."""

    severity: SeverityWindow | None = None
    light: LightDraw | None = None

    def record(self) -> dict[str, object]:
        """For JSON: what is steered."""
        return {name: value.model_dump(mode="json") for name, value in self if value is not None}


def check_pattern(pattern: str) -> str:
    """The pattern itself, which must compile and have a group that names the exposure.

    Raises:
        ValueError: it has none.
    """
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"{pattern!r}: put the part that names the exposure in brackets, as in exp(\\d+)_")
    return pattern
