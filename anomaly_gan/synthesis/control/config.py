"""What a generation steers beside the pool's masks; no torch here."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from ...core.config import Config
from ..relighting.model import MOST_STOPS, check_pattern


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
            raise ValueError(f"stops: {self.stops[0]:g} to {self.stops[1]:g} must rise, between {-MOST_STOPS:g} and "
                             f"{MOST_STOPS:g}")
        return self


class Control(Config):
    """Both, each None where it is left to the training's own distribution and the photographs' own light."""

    severity: SeverityWindow | None = None
    light: LightDraw | None = None

    def record(self) -> dict[str, Any]:
        """For JSON: what is steered."""
        return {name: value.model_dump(mode="json") for name, value in self if value is not None}


class PaintConfig(Config):
    """One ``anomaly-gan paint`` but for its files; words as on the command line."""

    category: str | None = None
    severity: str | None = None
    light: str | None = None
    at: str | None = None
    turn: str = "0"
    scale: float = Field(1.0, ge=0.05, le=20)
    number: int = Field(1, ge=1, le=200)
    count: int = Field(1, ge=1, le=100_000)


class CardConfig(Config):
    """How a model's control is measured."""

    method: str = "anomaly_gan"
    exposures: str | None = Field(None, description="finds the exposure in a file's name; None: no light is learnt")
    masks: int = Field(24, ge=2, description="pool masks per category")
    levels: int = Field(7, ge=3, le=21, description="severities from 0 to 1 per mask")
    scales: tuple[Annotated[float, Field(ge=0.05, le=20)], ...] = Field(
        (0.5, 0.7, 1.0, 1.4, 2.0), min_length=3, description="sizes of each mask")
    light_pairs: int = Field(200, ge=1, description="most exposure pairs to learn from, and to judge on")
    changed_by: float = Field(3.0, ge=0, description="a pixel counts as changed above so many grey levels")
    crop_margin: float = Field(0.5, ge=0, description="surroundings of a crop for the classifier, as in the gate")
    most_crops: int = Field(150, ge=4, description="most real crops per category and split for the classifier")
    draws: int = Field(1000, ge=100, description="bootstrap draws behind each interval")
    sheet_rows: int = Field(6, ge=1)
    threads: int = Field(0, ge=0)

    @field_validator("exposures")
    @classmethod
    def _names_the_exposure(cls, pattern: str | None) -> str | None:
        return None if pattern is None else check_pattern(pattern)
