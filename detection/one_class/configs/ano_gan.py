"""Settings of AnoGAN."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from .base import CodeConfig, Split


class AnoGanConfig(CodeConfig):
    """``latent``: length of the code; ``width``: channels of the widest maps' layer (doubled twice).

    Scoring searches the code of each image: ``search_steps`` steps of Adam at ``search_lr``, divided by 10 after two
    fifths of them and by 20 after three. ``feature_weight``: share of the discriminator's features in the score, the
    rest is the residual's.
    """

    QUICK: ClassVar[dict[str, object]] = {
        "epochs": 30,
        "width": 32,
        "search_steps": 20,
        "search_lr": 0.2,
    }
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = dict.fromkeys(("mnist", "cifar10"), "leave_one_out")

    CURVE: ClassVar[bool] = False
    MULTIPLE: ClassVar[int] = 8

    search_steps: int = Field(500, ge=1)
    search_lr: float = Field(0.01, gt=0)
    feature_weight: ClassVar[float] = 0.1
