"""What the settings of all one-class detectors share. Nothing here imports torch."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config
from anomaly_gan.engine.precision import Precision

Split = Literal["one_vs_rest", "leave_one_out", "transductive", "photographs"]
"""``one_vs_rest``: one class is normal, all others abnormal. ``leave_one_out``: one class is abnormal, all others
normal. ``transductive``: one class and a share of outliers, unlabelled, learned from and scored on the same images.
``photographs``, of magnetic tiles: beside the folds of whole tiles as many of photographs at random, which show tiles
of the training side, as the usual split of that set does."""


Frame = Literal["square", "kept", "tiles"]
"""How a photograph becomes squares. ``square``: all of it, its proportions not kept. ``kept``: all of it, its
proportions kept and the rest of the square filled with its mirror image. ``tiles``: at its own scale, cut into squares
that overlap by a quarter of their side; the highest score counts."""
Region = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of a photograph; right and bottom lie outside."""


class OneClassConfig(Config):
    """Settings of one detector. ``size``: side of the square it looks at, in pixels; ``batch``: images per step.
    ``frame``: how a photograph becomes such squares. ``region``: what of every photograph is looked at (left, top,
    right, bottom in pixels); None: all.

    ``precision``: of training (scoring is always float32). ``auto``: bf16, about twice as fast, where the device has
    it; ``32-true`` is what the papers computed in. A detector that trains no net has nothing to choose.
    """

    FULL: ClassVar[dict[str, object]] = {}
    """The paper's own values, where they are others than the shared ones: the defaults of this class."""
    QUICK: ClassVar[dict[str, object]] = {}
    """What ``--preset quick`` changes: the same method, sized for a CPU."""
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = {}
    """The paper's own kind of split, by data set; ``one_vs_rest`` where nothing is said."""
    TRAINS: ClassVar[bool] = True
    """Whether a net is trained, in some precision; features of a frozen one are always float32."""
    PICKS_EPOCH: ClassVar[bool] = False
    """Whether the published figures are those of the best epoch on the test set."""

    CURVE: ClassVar[bool] = True
    """Whether a benchmark tests the detector on the way too: not where scoring an image is a search of its own."""

    MULTIPLE: ClassVar[int] = 1
    """``size`` must be a multiple of it: the net halves the image so often."""
    LEAST_BATCH: ClassVar[int] = 1
    """2 where the net normalises over the batch."""

    size: int = Field(32, ge=16)
    batch: int = Field(64, ge=1)
    precision: Precision = "auto"
    frame: Frame = "square"
    region: Region | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        for name, value in cls.__dict__.get("FULL", {}).items():
            field = copy(cls.model_fields[name])
            field.default = value
            cls.model_fields[name] = field
        cls.model_rebuild(force=True)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size % self.MULTIPLE:
            raise ValueError(f"size {self.size} must be a multiple of {self.MULTIPLE}: the net halves it so often")
        if self.batch < self.LEAST_BATCH:
            raise ValueError(f"batch {self.batch} must be at least {self.LEAST_BATCH}: the net normalises over it")
        if self.region and not (0 <= self.region[0] < self.region[2] and 0 <= self.region[1] < self.region[3]):
            raise ValueError(f"region {list(self.region)} must be left, top, right, bottom in pixels, in that order")
        return self

    @classmethod
    def published(cls, dataset: str, normal: int | None) -> dict[str, object]:
        """Settings of the paper's own run on one class (its number) of a data set; none where it has one for all."""
        return {}


class LearntConfig(OneClassConfig):
    """Of a detector that trains a net: for how many ``epochs``."""

    epochs: int = Field(20, ge=1)


class NetConfig(LearntConfig):
    """``lr``: the learning rate; ``width``: channels of the net's widest maps."""

    lr: float = Field(2e-4, gt=0)
    width: int = Field(64, ge=1)


class CodeConfig(NetConfig):
    """``latent``: length of the code."""

    latent: int = Field(100, ge=1)


class FallingRateConfig(NetConfig):
    """The learning rate falls to a tenth from epoch ``drop`` on."""

    drop: int = Field(100, ge=1)
