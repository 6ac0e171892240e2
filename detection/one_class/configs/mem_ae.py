"""Settings of the memory-augmented auto-encoder."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from .base import OneClassConfig


class MemAeConfig(OneClassConfig):
    """MemAE (Gong et al., ICCV 2019): the decoder sees only combinations of ``memory`` learned vectors.

    ``shrink``: weights below shrink / memory become 0 (the paper: 1 to 3); ``entropy_weight``: of the addressing's
    entropy, which makes it sparse. ``addressing``: by ``cosine`` (eq. 4) or by the plain product, ``dot``, as in the
    authors' code; with the cosine no weight can exceed about e / memory, so that half of the memory always takes part.
    ``width``: channels of the first convolution. The paper states no epochs for images.
    """

    QUICK: ClassVar[dict[str, Any]] = {"epochs": 40, "lr": 1e-3, "drop": 30}

    epochs: int = Field(150, ge=1)
    drop: int = Field(100, ge=1)
    lr: float = Field(1e-4, gt=0)
    memory: int = Field(500, ge=2)
    shrink: ClassVar[float] = 1.0
    entropy_weight: ClassVar[float] = 2e-4
    addressing: Literal["dot", "cosine"] = "dot"
    width: int = Field(64, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> MemAeConfig:
        if self.size % 16:
            raise ValueError(f"size {self.size} must be a multiple of 16: the net halves it four times")
        return self
