"""Settings of the variational auto-encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import FallingRateConfig


class VaeConfig(FallingRateConfig):
    """A variational auto-encoder on Deep SVDD's net. ``beta``: weight of the KL term; ``score_by``: the mean squared
    ``reconstruction`` error from the mean code, or the ``elbo``'s negative. The comparison papers state neither epochs
    nor net; the learning rate falls to a tenth from epoch ``drop`` on."""

    FULL: ClassVar[dict[str, object]] = {"batch": 100, "epochs": 150, "lr": 1e-3, "width": 32}
    QUICK: ClassVar[dict[str, object]] = {"epochs": 30, "drop": 22}

    MULTIPLE: ClassVar[int] = 8
    LEAST_BATCH: ClassVar[int] = 2

    beta: float = Field(1.0, ge=0)
    score_by: Literal["reconstruction", "elbo"] = "reconstruction"
