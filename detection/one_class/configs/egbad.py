"""Settings of EGBAD."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import OneClassConfig, Split


class EgbadConfig(OneClassConfig):
    """``latent``: length of the code; ``width``: channels after the first convolution (doubled twice).

    ``average``: decay of the running average of the weights that scoring uses; ``feature_weight``: share of the
    discriminator's features in the score, the rest is the reconstruction's. The rate of 1e-5 is the authors'; the quick
    preset takes DCGAN's, as it has far fewer steps.
    """

    QUICK: ClassVar[dict[str, Any]] = {
        "epochs": 30,
        "width": 32,
        "lr": 2e-4,
        "average": 0.99,
        "batch": 64,
    }
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = dict.fromkeys(("mnist", "cifar10"), "leave_one_out")

    size: int = Field(32, ge=16, multiple_of=8)
    batch: int = Field(100, ge=1)
    epochs: int = Field(100, ge=1)
    lr: float = Field(1e-5, gt=0)
    latent: int = Field(200, ge=1)
    width: int = Field(64, ge=1)
    average: float = Field(0.999, ge=0, lt=1)
    feature_weight: ClassVar[float] = 0.1
