"""What CGAN's and LSGAN's papers fix. No torch here."""

from __future__ import annotations

from typing import Literal

from ...interface import MethodConfig


class NoiseConfig(MethodConfig):
    """A generator from noise and one discriminator on windows."""

    discriminator_norm: Literal["batch", "instance", "spectral", "none"] = "batch"
