"""Configuration of the segmenters behind the label check; no torch here."""

from __future__ import annotations

from pydantic import Field, model_validator

from ...core.config import Config
from ...core.durations import TimeLimit
from ...engine.precision import Precision


class LabelCheckConfig(Config):
    """Small segmenters, one per fold of the training split by objects; ``size`` is the side of their windows in px."""

    folds: int = Field(3, ge=2, le=10)
    """Each object's defects are evaluated by the segmenter that has not seen the object."""
    size: int = Field(64, ge=16)
    base_width: int = Field(24, ge=8)
    depth: int = Field(3, ge=2, le=4)
    steps: int = Field(400, ge=1)
    """Training steps of each segmenter: about 0.07 s each on one core. On the magnetic tiles (fold 0, 450 steps) they
    reach a median of 0.70 on blowholes, 0.50 on cracks and 0.14 on breaks of objects they have not seen."""
    batch: int = Field(16, ge=2)
    learning_rate: float = Field(3e-3, gt=0)
    normal_share: float = Field(0.3, ge=0, lt=1)
    """Share of windows without a defect in a batch."""
    precision: Precision = "auto"
    """Of training; what they find is computed in 32 bits."""
    checkpoint_every: int = Field(100, ge=1)
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice")
    time_budget: TimeLimit = Field(None, description="5m: all trainings together end by then; None: by their steps")

    @model_validator(mode="after")
    def _halves(self) -> LabelCheckConfig:
        if self.size % 2**self.depth:
            raise ValueError(f"size: {self.size} px cannot be halved {self.depth} times (depth)")
        return self
