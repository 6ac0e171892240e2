"""What the settings of all one-class detectors share. Nothing here imports torch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from anomaly_gan.core.config import Config
from anomaly_gan.engine.precision import Precision

Split = Literal["one_vs_rest", "leave_one_out", "transductive", "photographs"]
"""``one_vs_rest``: one class is normal, all others abnormal. ``leave_one_out``: one class is abnormal, all others
normal. ``transductive``: one class and a share of outliers, unlabelled, learned from and scored on the same images.
``photographs``, of magnetic tiles: beside the folds of whole tiles as many of photographs at random, which show tiles
of the training side, as the usual split of that set does."""


class OneClassConfig(Config):
    """Settings of one detector. ``size``: side of the square it looks at, in pixels; ``batch``: images per step.

    ``precision``: of training (scoring is always float32). ``auto``: bf16, about twice as fast, where the device has
    it; ``32-true`` is what the papers computed in. A detector that trains no net has nothing to choose.
    """

    QUICK: ClassVar[dict[str, Any]] = {}
    """What ``--preset quick`` changes: the same method, sized for a CPU."""
    PUBLISHED_SPLIT: ClassVar[dict[str, Split]] = {}
    """The paper's own kind of split, by data set; ``one_vs_rest`` where nothing is said."""
    TRAINS: ClassVar[bool] = True
    """Whether a net is trained, in some precision; features of a frozen one are always float32."""
    PICKS_EPOCH: ClassVar[bool] = False
    """Whether the published figures are those of the best epoch on the test set."""

    size: int = Field(32, ge=16)
    batch: int = Field(64, ge=1)
    precision: Precision = "auto"

    @classmethod
    def published(cls, dataset: str, normal: int | None) -> dict[str, Any]:
        """Settings of the paper's own run on one class (its number) of a data set; none where it has one for all."""
        return {}
