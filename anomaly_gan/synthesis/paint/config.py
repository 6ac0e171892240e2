"""Configuration of painting one photograph."""

from __future__ import annotations

from pydantic import Field

from ...ingestion.reading import LabelledReadingConfig


class PaintConfig(LabelledReadingConfig):
    """One ``anomaly-gan paint`` but for its files; words as on the command line.

    The photograph is read as those that the model learned from, but for what is told here.
    """

    category: str | None = None
    severity: str | None = None
    light: str | None = None
    at: str | None = None
    turn: str = "0"
    scale: float = Field(1.0, ge=0.05, le=20)
    number: int = Field(1, ge=1, le=200)
    count: int = Field(1, ge=1, le=100_000)
