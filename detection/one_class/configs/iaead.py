"""Settings of IAEAD and of the plain auto-encoder it is compared with."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import LearntConfig, Split

DATASETS = ("mnist", "fashion_mnist", "cifar10")


class CaeConfig(LearntConfig):
    """A convolutional auto-encoder trained on the squared error alone; its score is the L1 reconstruction error.

    ``optimizer``: the paper's ``sgd`` (0.1, no momentum) or ``adam`` (1e-3), which makes the baseline much stronger.
    The learning rate is halved every ``halve_every`` epochs.
    """

    FULL: ClassVar[dict[str, object]] = {"batch": 256, "epochs": 250}
    QUICK: ClassVar[dict[str, object]] = {"epochs": 10, "halve_every": 2, "batch": 32}
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = dict.fromkeys(DATASETS, "transductive")

    LEAST_BATCH: ClassVar[int] = 2

    halve_every: int = Field(50, ge=1)
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float | None = Field(None, gt=0)


class IaeadConfig(CaeConfig):
    """``weight``: of the Deep SVDD term (0: the auto-encoder scored by its centre distance, the paper's own ablation);
    ``nu``: share outside the soft boundary, 1 in the paper; ``warm_up``: epochs of reconstruction before the centre
    is taken, counted in ``epochs``."""

    QUICK: ClassVar[dict[str, object]] = {**CaeConfig.QUICK, "warm_up": 1}

    weight: float = Field(5e-5, ge=0)
    nu: ClassVar[float] = 1.0
    warm_up: int = Field(20, ge=1)
