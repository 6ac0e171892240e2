"""Settings of GANomaly, Skip-GANomaly and Skip-GANomaly++."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import CodeConfig, Split


class AdversarialConfig(CodeConfig):
    """What the three share; the defaults are those of the authors' code (the ++ abstract states none of them).

    ``size``: a power of two. ``width``: channels of the first layer, doubled where the image is halved. ``latent``:
    entries of the latent vector (GANomaly) or of the discriminator's features. ``lr``, ``beta``: of Adam, for both
    nets. ``adversarial``, ``contextual``: weights of fooling the discriminator and of the L1 reconstruction error.
    ``reinitialise_below``: the discriminator starts anew when its loss falls below.
    ``epochs``: 15, and 25 in the parent's CIFAR-10 script.
    """

    FULL: ClassVar[dict[str, object]] = {"epochs": 15}
    QUICK: ClassVar[dict[str, object]] = {"epochs": 3, "width": 16}
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = {"cifar10": "leave_one_out"}
    PICKS_EPOCH: ClassVar[bool] = True

    beta: float = Field(0.5, ge=0, lt=1)
    adversarial: float = Field(1.0, ge=0)
    contextual: ClassVar[float] = 50.0
    reinitialise_below: ClassVar[float] = 1e-5

    @model_validator(mode="after")
    def _halves_down_to_four(self) -> Self:
        if self.size & (self.size - 1):
            raise ValueError(f"size {self.size} must be a power of two: 16, 32, 64, 128, ...")
        return self


class GanomalyConfig(AdversarialConfig):
    """GANomaly. ``encoding``: weight of the distance between the latent vectors of the image and of its reconstruction;
    ``distance``: how the score measures it, ``l2`` as in the code or ``l1`` as in the paper."""

    encoding: float = Field(1.0, ge=0)
    distance: ClassVar[Literal["l1", "l2"]] = "l2"


class SkipGanomalyConfig(AdversarialConfig):
    """Skip-GANomaly. ``features``: weight of the distance between the discriminator's features of the image and of its
    reconstruction; ``features_in_discriminator``: whether the discriminator lowers it too, as in the code.
    ``feature_share``: of the score; the rest is the reconstruction error."""

    features: float = Field(1.0, ge=0)
    features_in_discriminator: ClassVar[bool] = True
    feature_share: ClassVar[float] = 0.1


class SkipGanomalyPpConfig(SkipGanomalyConfig):
    """Skip-GANomaly++. ``width``: channels of the stem (the discriminator has twice as many); ``rates``: dilations of
    the bridge's convolutions; ``image_pooling``: whether the bridge also sees the mean over the image;
    ``residual``: shortcuts in every block; ``skips``: connections from encoder to decoder."""

    FULL: ClassVar[dict[str, object]] = {"width": 32}

    rates: ClassVar[tuple[int, ...]] = (1, 2, 3)
    image_pooling: ClassVar[bool] = True
    residual: ClassVar[bool] = True
    skips: bool = True
