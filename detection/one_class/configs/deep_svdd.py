"""Settings of Deep SVDD, which those of IAE-LSTM-KL extend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import FallingRateConfig


class DeepSvddConfig(FallingRateConfig):
    """Deep SVDD (Ruff et al., ICML 2018) as in its authors' PyTorch code: an auto-encoder gives the weights to start
    from, then the encoder alone draws the normals to a fixed centre.

    ``objective``: ``hard`` (mean squared distance) or ``soft`` (a sphere that leaves the share ``nu`` outside; its
    radius stays 0 before epoch ``soft_from``). ``width``: channels of the first convolution, 32 in the paper.
    ``pretrain_epochs`` are those of the auto-encoder, ``epochs`` those of the sphere; the learning rate ``lr``
    (``pretrain_lr``: the auto-encoder's, if it is another) falls to a tenth from epoch ``pretrain_drop`` and ``drop``
    on. ``extremes``: lowest and highest value of the normalised pixels, found on the training images where None.
    """

    FULL: ClassVar[dict[str, object]] = {"batch": 200, "epochs": 150, "drop": 50, "lr": 1e-4, "width": 32}
    QUICK: ClassVar[dict[str, object]] = {
        "epochs": 20,
        "pretrain_epochs": 20,
        "drop": 14,
        "pretrain_drop": 15,
        "soft_from": 2,
        "pretrain_lr": 1e-3,
    }

    MULTIPLE: ClassVar[int] = 8
    LEAST_BATCH: ClassVar[int] = 2

    pretrain_epochs: int = Field(350, ge=1)
    pretrain_drop: int = Field(250, ge=1)
    pretrain_lr: float | None = Field(None, gt=0)
    amsgrad: ClassVar[bool] = False
    weight_decay: float = Field(0.5e-6, ge=0)
    pretrain_weight_decay: ClassVar[float] = 0.5e-3
    objective: Literal["hard", "soft"] = "hard"
    nu: ClassVar[float] = 0.1
    soft_from: int = Field(10, ge=0)
    extremes: tuple[float, float] | None = None
