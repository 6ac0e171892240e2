"""Configuration of painting one photograph."""

from __future__ import annotations

from pydantic import Field

from ...core.config import Config


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
    classes: str | None = None
    """What the values or colours of the mask picture mean, as ``ingest`` takes it (``--classes``)."""
    bits: int | None = Field(None, ge=8, le=16)
    """What a photograph of more than 8 bits is scaled from; None: as the model's own data set."""
