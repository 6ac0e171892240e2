"""How the dense detector is built, trained and read out. Nothing here imports torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from anomaly_gan.core.config import Config


class DenseConfig(Config):
    """The dense detector: one map of probabilities for each category, at the photographs' own scale.

    All lengths are pixels of the photograph. The defaults were chosen on objects held out of the training side of
    the magnetic tiles (``docs/results/lift/design.md``).
    """

    trunk: Literal["efficientnet_lite0", "efficientnet_lite2"] = "efficientnet_lite0"
    frozen_stages: int = Field(3, ge=0, le=7, description="leading stages of the seven that keep their weights")
    widths: tuple[int, ...] = Field((64, 48, 32, 24), description="decoder channels at strides 16, 8, 4 and 2")
    finest: Literal[2, 4] = Field(2, description="stride at which the maps are drawn")

    crop: int = Field(160, ge=32, le=1024, multiple_of=32, description="side of a training crop")
    batch: int = Field(8, ge=1, description="real crops a step")
    sound_share: float = Field(0.375, ge=0.0, le=0.9, description="share of the real crops from sound photographs")
    scale: tuple[float, float] = Field((0.75, 1.33), description="enlargement of a crop, log-uniform")
    rotate: ClassVar[float] = 10.0
    """Largest turn in degrees, where mirroring is allowed."""
    upside_down: ClassVar[bool] = True
    """Also mirror top to bottom, where mirroring is allowed."""
    brightness: float = Field(0.1, ge=0.0, le=0.5, description="largest shift, in parts of full white")
    contrast: float = Field(0.25, ge=0.0, lt=1.0, description="log-uniform from 1/(1+contrast) to 1+contrast")
    noise: float = Field(0.02, ge=0.0, le=0.5, description="largest standard deviation, in parts of full white")
    blur: ClassVar[float] = 1.0
    """Largest standard deviation of a blur, for a quarter."""

    lr: float = Field(1e-3, gt=0, description="of decoder and heads")
    trunk_lr_factor: ClassVar[float] = 0.3
    weight_decay: ClassVar[float] = 1e-4
    average: ClassVar[float] = 0.995
    """Decay of the running mean of the weights that is kept."""
    dice: ClassVar[float] = 1.0
    presence: ClassVar[float] = 0.5
    """Weight of the coarse head: is there a defect here at all."""

    held_out: float = Field(
        0.15, ge=0.0, le=0.5, description="share of the training objects kept for early stop and thresholds"
    )
    fewest: int = Field(5, ge=2, description="a category with fewer objects gives none away")
    looks: int = Field(4, ge=0, description="how often the held-out objects are asked, from half of the way on")
    patience: ClassVar[int] = 3
    """Looks without a better one after which training ends."""

    bank: Literal["none", "exemplar", "copy_paste"] = Field(
        "none",
        description="`detect train` paints crops by that method from the training defects, and shams",
    )
    bank_per_batch: int = Field(4, ge=0, description="crops of a bank added to every real batch")
    sham_share: float = Field(0.5, ge=0.0, le=1.0, description="share of the added crops that are shams")
    prior: bool = Field(False, description="a one-class map as a further input")
    views: ClassVar[int] = 12
    """Of `cached`: augmented views kept of each defect."""

    tile: int = Field(
        512, ge=192, le=4096, multiple_of=32, description="largest side worked on at once when predicting"
    )
    overlap: ClassVar[int] = 96
    """Pixels that two such windows share."""
    mirrored: bool = Field(
        False, description="predict from the photograph and its three mirror images, the geometric mean of their maps"
    )
    faintest: float = Field(0.05, gt=0, lt=1, description="an instance's map reaches this somewhere ...")
    reach: float = Field(0.15, gt=0, lt=1, description="... and the instance as far as this share of its peak")
    smallest: int = Field(6, ge=1, description="least area of an instance")
    one_class_score: bool = Field(True, description="`detect train`: add a one-class detector's score of a photograph")

    @field_validator("widths")
    @classmethod
    def _four(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if len(widths) != 4 or any(width < 8 or width % 8 for width in widths):
            raise ValueError("needs four multiples of 8, for the strides 16, 8, 4 and 2")
        return widths

    @model_validator(mode="after")
    def _ordered(self) -> DenseConfig:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale: needs the smaller enlargement first, both above 0")
        return self

    def sound_slots(self) -> int:
        """Crops a step from sound photographs; at least one slot stays for a defect."""
        return min(round(self.batch * self.sound_share), self.batch - 1)
