"""Configuration of the control card."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from ...core.config import Config
from ..relighting.model import check_pattern


class CardConfig(Config):
    """How a model's control is measured."""

    method: str = "anomaly_gan"
    exposures: str | None = Field(None, description="finds the exposure in a file's name; None: no light is learnt")
    masks: int = Field(24, ge=2, description="pool masks per category")
    levels: int = Field(7, ge=3, le=21, description="severities from 0 to 1 per mask")
    scales: tuple[Annotated[float, Field(ge=0.05, le=20)], ...] = Field(
        (0.5, 0.7, 1.0, 1.4, 2.0), min_length=3, description="sizes of each mask"
    )
    light_pairs: ClassVar[int] = 200
    """Most exposure pairs to learn from, and to evaluate on."""
    changed_by: ClassVar[float] = 3.0
    """A pixel counts as changed above this many grey levels."""
    crop_margin: ClassVar[float] = 0.5
    """Surroundings of a crop for the classifier, as in the gate."""
    most_crops: ClassVar[int] = 150
    """Most real crops per category and split for the classifier."""
    draws: int = Field(1000, ge=100, description="bootstrap draws behind each interval")
    sheet_rows: ClassVar[int] = 6
    threads: int = Field(0, ge=0)

    @field_validator("exposures")
    @classmethod
    def _names_the_exposure(cls, pattern: str | None) -> str | None:
        return None if pattern is None else check_pattern(pattern)
