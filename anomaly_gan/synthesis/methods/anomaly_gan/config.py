"""Anomaly-GAN's own settings; weights multiply the loss terms of eq. 8. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..painter import PaintedConfig, PainterConfig


class AnomalyGanConfig(PaintedConfig):
    """Of ``anomaly_gan`` and, with the paper's values in place of the defaults (``presets``), ``anomaly_gan_paper``.

    ``local_size`` and ``aware_size``: pixels of the crop that the local discriminator and the abnormal aware network
    see; ``masked_local``: with everything outside the mask black. ``features``: channels of the discriminators' first
    layer. ``aware_width``: channels of the abnormal aware network's first layer. ``aware_steps``: of its own training,
    before. ``lambda_1``: weight of D2's adversarial loss. ``inside``: weight of a cycle error inside the
    mask against one outside. ``aware``: weight of the abnormal aware loss. ``mismatch``: weight of real pictures with
    other masks, which count as fakes. ``paired``: weight of repainting real defects that were painted out.
    """

    painter: PainterConfig = PainterConfig()

    features: int = 64
    local_size: int = 32
    masked_local: bool = False
    discriminator_norm: Literal["batch", "spectral", "none"] = "spectral"
    discriminator_view: Literal["both", "global"] = Field(
        "both",
        description="what the discriminators see: the defect's surroundings and the whole picture, or the "
        "whole picture alone (the ablation of the paper's Table 1)",
    )
    adversarial: Literal["bce", "hinge", "lsgan", "d2gan"] = "hinge"

    aware_width: int = Field(16, ge=4)
    aware_steps: int = Field(150, ge=0)
    aware_size: int = Field(32, ge=8)
    aware_compare: Literal["positions", "moments", "pixels"] = Field(
        "moments",
        description="features of generated and real defects place by place (the paper), by their mean and "
        "spread, or no features but the pixels' squared difference (the L2 loss of the paper's Table 1)",
    )

    lambda_1: float = Field(0.3, ge=0)
    cycle: float = Field(2.0, ge=0)
    inside: float = Field(10.0, ge=1)
    aware: float = Field(0.5, ge=0)
    severity: float = Field(4.0, ge=0)
    mismatch: float = Field(0.5, ge=0)
    paired: float = Field(4.0, ge=0)

    # Off unless given; configs/ablations.yaml measures each of them.
    r1: float = Field(
        0.0,
        ge=0,
        description="gamma of the gradient penalty R1 on what the discriminators see of real "
        "photographs (Mescheder et al. 2018); 0 is off, 1 to 10 are usual",
    )
    r1_every: int = Field(4, ge=1, description="steps between two R1 penalties, each then that much heavier")
    augment: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of pictures, real and generated, that the "
        "discriminators see turned, mirrored, shifted and brightened, their masks with them; "
        "0 is off, 0.5 to 0.8 are usual",
    )
    mode_seeking: float = Field(
        0.0,
        ge=0,
        description="weight of the mode seeking loss (Mao et al. 2019): one mask "
        "painted with two noises must differ; needs noise; 0 is off, 0.05 is a start",
    )
    consistency: float = Field(
        0.0,
        ge=0,
        description="weight of the mask-consistency loss: a segmenter that learns "
        "real defects beside the discriminators must find the mask in the generated picture; "
        "0 is off, 2 is a start",
    )
    consistency_names: bool = Field(False, description="that segmenter must find it as a defect of its category")

    @model_validator(mode="after")
    def _fits_together(self) -> AnomalyGanConfig:
        if self.mode_seeking and not self.painter.noise:
            raise ValueError("mode_seeking: there is no noise to seek modes with; set painter.noise: true")
        if self.consistency_names and not self.consistency:
            raise ValueError("consistency_names: there is no segmenter to name anything; set consistency, 2 is a start")
        if self.local_size < 8 or self.local_size & (self.local_size - 1):
            raise ValueError(f"local_size: {self.local_size} must be a power of two of at least 8")
        return self

    @property
    def sides(self) -> dict[str, int]:
        return {"local_size": self.local_size} if self.discriminator_view == "both" else {}

    @property
    def exemplars(self) -> bool:
        return self.painter.painting == "exemplar"

    @property
    def paints_out(self) -> bool:
        return self.paired > 0 or self.exemplars

    @property
    def steps_before(self) -> int:
        """Of the abnormal aware network, where a loss looks at its features, so that it must have learnt something."""
        compares = (self.aware and self.aware_compare != "pixels") or self.paired
        return self.aware_steps if compares else 0
