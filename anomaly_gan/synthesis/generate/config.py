"""Configuration of the stage that generates photographs."""

from __future__ import annotations

from pydantic import Field

from ...core.config import Config
from ...core.durations import TimeLimit
from ..conditions import Control, LightDraw, SeverityWindow


class GenerateConfig(Config):
    """How many labelled photographs per category a method makes."""

    method: str = "anomaly_gan"
    count: int = Field(50, ge=1)
    categories: list[str] | None = None
    threads: int = Field(0, ge=0)
    severity: SeverityWindow | None = Field(
        None, description="{low: 0.2, high: 0.8}: quantiles of the training defects' severities; None: as they come"
    )
    light: LightDraw | None = Field(
        None,
        description="{stops: [-0.5, 0.5], slope: 0.3}: photographs are relit before "
        "they are painted; None: as they are",
    )

    time_budget: TimeLimit = Field(
        None, description="5m: ends by then with the photographs that are made, as many of each category; None: all"
    )

    @property
    def control(self) -> Control:
        return Control(severity=self.severity, light=self.light)
