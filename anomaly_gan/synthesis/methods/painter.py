"""How a mask-conditioned generator paints: the settings that such methods' ``config.py`` share. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ...core.config import Config
from ..interface import MethodConfig


class PainterConfig(Config):
    """How a mask-conditioned generator is steered, and what its output means.

    ``conditional``: told the category, by one mask channel each. ``noise``: told severity and two maps of noise.
    ``painting``: its output is the photograph (``image``), is added to it (``residual``), lies over it with its own
    opacity (``layered``), or lies over a real defect warped to the mask (``exemplar``). ``composite``: pasted under
    the mask, so that every pixel further away stays the photograph's. ``support_px``: pixels around the mask that may
    change with it. ``dropout``: pix2pix's noise, kept while painting.
    """

    conditional: bool = True
    noise: bool = True
    painting: Literal["image", "residual", "layered", "exemplar"] = "exemplar"
    composite: bool = True
    support_px: int = 2
    dropout: float = 0.0

    @model_validator(mode="after")
    def _in_range(self) -> PainterConfig:
        if self.support_px < 1:
            raise ValueError("support_px: at least 1 pixel, within which the painting fades out")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout: a share from 0 to below 1")
        return self


PLAIN = PainterConfig(noise=False, composite=False, painting="residual")
"""What the rivals start from: their papers have no steering by severity and noise and no pasting under the mask.
Deviation: the net's output is added to the photograph (published: it is the photograph)."""


class PaintedConfig(MethodConfig):
    """Base for methods whose generator paints under a mask."""

    painter: PainterConfig = PLAIN

    @model_validator(mode="after")
    def _exemplars_fit(self) -> PaintedConfig:
        if self.painter.painting == "exemplar" and not self.exemplars:
            raise ValueError("painter.painting: only anomaly_gan paints from exemplars; give this method another one")
        return self
