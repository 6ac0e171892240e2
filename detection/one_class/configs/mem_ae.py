"""Settings of the memory-augmented auto-encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import FallingRateConfig


class MemAeConfig(FallingRateConfig):
    """MemAE (Gong et al., ICCV 2019): the decoder sees only combinations of ``memory`` learned vectors.

    ``shrink``: weights below shrink / memory become 0 (the paper: 1 to 3); ``entropy_weight``: of the addressing's
    entropy, which makes it sparse. ``addressing``: by ``cosine`` (eq. 4) or by the plain product, ``dot``, as in the
    authors' code; with the cosine no weight can exceed about e / memory, so that half of the memory always takes part.
    ``width``: channels of the first convolution. The paper states no epochs for images.
    """

    FULL: ClassVar[dict[str, object]] = {"epochs": 150, "lr": 1e-4}
    QUICK: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 1e-3, "drop": 30}

    MULTIPLE: ClassVar[int] = 16

    memory: int = Field(500, ge=2)
    shrink: ClassVar[float] = 1.0
    entropy_weight: ClassVar[float] = 2e-4
    addressing: ClassVar[Literal["dot", "cosine"]] = "dot"
