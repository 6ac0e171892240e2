"""What pix2pix's paper fixes. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..painter import PLAIN, PaintedConfig, PainterConfig


class Pix2PixConfig(PaintedConfig):
    """``l1``: lambda of eq. 4 (Isola et al. 2017); dropout as in section 3.1."""

    painter: PainterConfig = PLAIN.model_copy(update={"dropout": 0.5})
    l1: float = Field(100.0, ge=0)
    discriminator_norm: Literal["batch", "instance", "spectral", "none"] = "batch"

    @property
    def paints_out(self) -> bool:
        return True
