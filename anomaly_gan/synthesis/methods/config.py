"""Configuration of training and generation; no torch here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ...core.config import Config, nearest
from ...core.durations import TimeLimit
from ...engine.precision import Precision
from ..conditions import check_pattern
from ..registry import METHODS
from .presets import PRESETS


def laid_under(method: str, preset: str) -> dict[str, Any]:
    """What lies under the values given: a method's recipe over the preset, which speaks of Anomaly-GAN's nets and sizes
    and lends them to the rivals; for ``anomaly_gan_paper`` the preset over the recipe, since both are the paper's."""
    recipe, values = METHODS[method].recipe_values(), PRESETS[preset]
    return {**recipe, **values} if method.startswith("anomaly_gan") else {**values, **recipe}


class TrainConfig(Config):
    """A method's training. ``preset`` lays a named set of values under the method's recipe, and both under the
    values given.

    Sizes are pixels; ``steps`` are generator steps; weights multiply the loss terms of eq. 8, where a method has them.
    """

    method: str = "anomaly_gan"
    preset: str = "default"
    steps: int = Field(2000, ge=1)
    batch: int = Field(16, ge=2)
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice")
    precision: Precision = Field("auto", description="auto: bf16-mixed where the device has bf16, else 32-true")
    learning_rate: float = Field(6e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.99)
    weight_decay: float = Field(0.01, ge=0)
    ema: float = Field(0.99, ge=0, lt=1)
    checkpoint_every: int = Field(100, ge=1)
    sample_every: int = Field(200, ge=0)
    keep_every: int = Field(
        0,
        ge=0,
        description="keep the painting generator's weights every so many steps (a file "
        "of its size each), for `anomaly-gan features`; 0 keeps the last alone",
    )
    time_budget: TimeLimit = Field(None, description="90s, 25m, 1h30m: the training ends by then; None: by its steps")
    early_stop: int = Field(0, ge=0, description="evaluations without a better crop-KID after which to stop; 0: never")
    early_stop_every: int = Field(200, ge=1, description="steps between evaluations")
    early_stop_windows: int = Field(64, ge=8, description="windows painted at each evaluation")
    devices: int = Field(1, ge=1, description="processes, each on a device of its own, that share every batch")

    framing: Literal["window", "whole"] = "window"
    size: int = Field(64, ge=16)
    scales: tuple[int, ...] = (1,)
    channels: Literal["auto", 1, 3] = "auto"
    flips: bool = True

    generator: Literal["lean_unet", "unet", "resnet"] = "lean_unet"
    base_width: int = Field(32, ge=4)
    depth: int = Field(3, ge=2, description="stages of a U-Net; the ResNet has two")
    blocks: int = Field(9, ge=1, description="residual blocks of the ResNet")
    norm: Literal["batch", "instance", "none"] = "none"
    dropout: float = Field(0.0, ge=0, lt=1, description="pix2pix's noise, kept while painting")
    conditional: bool = True
    noise: bool = True
    painting: Literal["image", "residual", "layered", "example"] = "example"
    composite: bool = True
    support_px: int = Field(2, ge=0)
    softness_px: int = Field(1, ge=0)

    widths: tuple[int, ...] = (16, 32, 64, 96)
    features: int = 64
    local_size: int = 32
    masked_local: bool = False
    discriminator_norm: Literal["batch", "instance", "spectral", "none"] = "spectral"
    patch_width: int = Field(32, ge=4, description="first width of the rivals' PatchGAN discriminators")
    adversarial: Literal["bce", "hinge", "lsgan", "d2gan"] = "hinge"

    aware_width: int = Field(16, ge=4)
    aware_steps: int = Field(150, ge=0)
    aware_size: int = Field(32, ge=8)
    aware_compare: Literal["positions", "moments", "pixels"] = Field(
        "moments",
        description="features of generated and real defects place by place (the paper), by their mean and "
        "spread, or no features but the pixels' squared difference (the L2 loss of the paper's Table 1)",
    )
    discriminator_view: Literal["both", "global"] = Field(
        "both",
        description="what the discriminators see: the defect's surroundings and the whole picture, or the "
        "whole picture alone (the ablation of the paper's Table 1)",
    )
    discriminator_rate: float = Field(1.0, gt=0, description="the discriminators' learning rate over the generators'")
    lambda_1: float = Field(0.3, ge=0)
    cycle: float = Field(2.0, ge=0)
    inside: float = Field(10.0, ge=1, description="weight of a cycle error inside the mask against one outside")
    aware: float = Field(0.5, ge=0)
    severity: float = Field(4.0, ge=0)
    mismatch: float = Field(0.5, ge=0)
    paired: float = Field(4.0, ge=0)
    identity: float = Field(0.0, ge=0, description="weight of CycleGAN's identity loss")

    # Anomaly-GAN's switches that are off unless given; configs/switches.yaml measures each of them.
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
    pretrain_steps: int = Field(
        0,
        ge=0,
        description="the first so many of the steps learn from pseudo-defects "
        "rendered on normal photographs, before any batch shows a real one; every method",
    )
    exposures: str | None = Field(
        None,
        description="expression that finds the exposure in a file's name, as in "
        "exp(\\d)_: a light model is learnt from the training split and kept beside the "
        "generator; None: none",
    )
    repeat: int = Field(
        0,
        ge=0,
        description="another number is another training from the same photographs and pool: "
        "other weights to start from, other batches",
    )

    @model_validator(mode="before")
    @classmethod
    def _lay_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        method, name = values.get("method", "anomaly_gan"), values.get("preset", "default")
        learners = [row for row in METHODS if METHODS[row].trainable]
        if method not in learners:
            known = f"{method!r} learns nothing" if method in METHODS else f"no method {method!r}"
            raise ValueError(f"method: {known}{nearest(str(method), learners)}")
        if name not in PRESETS:
            raise ValueError(f"preset: no preset {name!r}{nearest(str(name), PRESETS)}")
        return {**laid_under(method, name), **values}

    @field_validator("exposures")
    @classmethod
    def _names_the_exposure(cls, pattern: str | None) -> str | None:
        return None if pattern is None else check_pattern(pattern)

    @model_validator(mode="after")
    def _devices_share_the_batch(self) -> TrainConfig:
        if self.batch % self.devices or self.batch < 2 * self.devices:
            raise ValueError(
                f"devices: a batch of {self.batch} cannot be shared evenly by {self.devices} processes, "
                "at least 2 rows each"
            )
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> TrainConfig:
        if self.method.startswith("anomaly_gan") and self.discriminator_norm == "instance":
            raise ValueError("discriminator_norm: the local and global discriminator has no instance norm")
        stages = 2 if self.generator == "resnet" else self.depth
        if self.generator == "lean_unet" and not 2 <= stages <= 4:
            raise ValueError(f"depth: the lean U-Net has 2 to 4 stages, not {stages}")
        if self.painting == "example" and (not self.method.startswith("anomaly_gan") or self.framing == "whole"):
            raise ValueError(
                "painting: only anomaly_gan with framing: window paints from examples; give this method "
                "another one (in a study, under train_methods)"
            )
        if self.mode_seeking and not self.noise:
            raise ValueError("mode_seeking: there is no noise to seek modes with; set noise: true")
        if self.consistency_names and not self.consistency:
            raise ValueError("consistency_names: there is no segmenter to name anything; set consistency, 2 is a start")
        if self.pretrain_steps >= self.steps:
            raise ValueError(f"pretrain_steps: {self.pretrain_steps} leave none of {self.steps} steps for real defects")
        if self.pretrain_steps and self.time_budget:
            raise ValueError(
                "pretrain_steps: with a time_budget the time may end before a real defect is seen; give one of them"
            )
        if self.size % 2**stages:
            raise ValueError(f"size: {self.size} px cannot be halved {stages} times (depth)")
        for name, side in (("size", self.size), ("local_size", self.local_size)):
            if side < 8 or side & (side - 1):
                raise ValueError(f"{name}: {side} must be a power of two of at least 8")
        if (self.size // 4).bit_length() - 1 > len(self.widths):
            raise ValueError(f"widths: {self.size} px needs {(self.size // 4).bit_length() - 1} widths")
        return self

    @property
    def compares_features(self) -> bool:
        """Whether a loss looks at the features of the abnormal aware network, so that it must have learnt something."""
        return bool((self.aware and self.aware_compare != "pixels") or self.paired)

    def given_to(self, method: str) -> dict[str, Any]:
        """What this section gives to ``method``: the preset, and the values that differ from what it and this
        section's own recipe lay; for another method without those that its own recipe fixes, which were meant for this
        one. A value given as it is laid anyway cannot be told from one left out."""
        fixed = () if method == self.method else METHODS[method].recipe_values()
        laid = TrainConfig(method=self.method, preset=self.preset)
        return {
            "preset": self.preset,
            **{
                name: value
                for name, value in self
                if name not in ("method", "preset") and name not in fixed and value != getattr(laid, name)
            },
        }
