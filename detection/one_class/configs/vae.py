"""Settings of the variational auto-encoder."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from .base import OneClassConfig


class VaeConfig(OneClassConfig):
    """A variational auto-encoder on Deep SVDD's net. ``beta``: weight of the KL term; ``score_by``: the mean squared
    ``reconstruction`` error from the mean code, or the ``elbo``'s negative. The comparison papers state neither epochs
    nor net; the learning rate falls to a tenth from epoch ``drop`` on."""

    QUICK: ClassVar[dict[str, Any]] = {"epochs": 30, "drop": 22}

    batch: int = Field(100, ge=2)
    epochs: int = Field(150, ge=1)
    drop: int = Field(100, ge=1)
    lr: float = Field(1e-3, gt=0)
    beta: float = Field(1.0, ge=0)
    score_by: Literal["reconstruction", "elbo"] = "reconstruction"
    width: int = Field(32, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> VaeConfig:
        if self.size % 8:
            raise ValueError(f"size {self.size} must be a multiple of 8: the net halves it three times")
        return self
