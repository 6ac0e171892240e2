"""What CycleGAN's and FD-Cycle-GAN's papers fix. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..painter import PaintedConfig


class CycleGanConfig(PaintedConfig):
    """Weights of the cycle loss (Zhu et al. 2017, section 4) and of the identity loss (section 5.2)."""

    cycle: float = Field(10.0, ge=0)
    identity: float = Field(5.0, ge=0)
    discriminator_norm: Literal["batch", "instance", "spectral", "none"] = "instance"


class FdCycleGanConfig(CycleGanConfig):
    """``lambda_1`` weighs the second pair of discriminators in the generators' objective."""

    lambda_1: float = Field(1.0, ge=0)
