"""Configuration of detector training and of the comparison. Nothing here imports torch."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from anomaly_gan.core.config import Config, nearest
from anomaly_gan.core.durations import TimeLimit

from ..dense.config import DenseConfig
from .registry import DETECTORS

NO_AUGMENTATION = "none"
LEAN_ANCHORS, COCO_ANCHORS = (8, 16, 32, 64, 128), (32, 64, 128, 256, 512)
OWN_CROPS = ("dense", "cached")
"""Detectors that choose their own crops, with the settings of ``dense``."""


class DetectConfig(Config):
    """How one detector is trained and read out; the same for every arm of a comparison.

    The defaults of ``lr``, ``normal_share``, ``frozen_stages`` and ``backbone_lr_factor`` were chosen on objects held
    out of the sample set's training split, never on a test split.
    ``image_size`` is the side in pixels of what the net sees; results are judged at the original size.
    """

    detector: str = "dense"
    backbone: Literal["auto", "efficientnet_lite0", "resnet50_coco"] = "auto"
    view: Literal["tiles", "whole"] = Field(
        "tiles", description="tiles of image_size at the photograph's own scale, or the whole shrunk to that size"
    )
    image_size: Annotated[int, Field(ge=32, le=2048)] | Literal["auto"] = Field(
        "auto", description="auto: at least 256, and so that the thinnest category's median defect keeps its shape"
    )
    exposures: float = Field(60.0, gt=0, description="how often each real defective photograph is shown in the mean")
    iterations: int | None = Field(None, ge=1, description="a fixed number of steps, whatever there is to see")
    batch: int = Field(2, ge=1)
    real_share: float | None = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="real share of every batch, at least half; 0: "
        "generated alone, to see; null: free, every defect equally often",
    )
    real_tail: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the iterations, the last ones, that show real photographs alone"
    )
    normal_share: float = Field(0.25, ge=0.0, le=0.5, description="share of the real part that is defect-free")
    lr: float = Field(5e-4, gt=0)
    pretrained_heads: bool = Field(True, description="heads pretrained on drawn shapes, where widths are theirs")
    frozen_stages: int = Field(3, ge=0, le=7, description="leading stages of EfficientNet-Lite0 that stay as they are")
    backbone_lr_factor: ClassVar[float] = 0.3
    """The pretrained part learns this much slower."""
    weight_decay: ClassVar[float] = 1e-4
    schedule: Literal["linear", "steps"] = Field(
        "steps", description="a tenth of the rate after 2/5 and 4/5 of the steps, or linear to zero from constant_share"
    )
    warmup: int = Field(50, ge=0, description="steps of linear warm-up; a cold head diverges without")
    constant_share: ClassVar[float] = 0.5
    """Share of the steps before the rate falls to zero."""
    clip_norm: ClassVar[float] = 5.0
    flip: bool = Field(True, description="mirror half of the images; off for objects of fixed pose")
    gamma: ClassVar[float] = 0.2
    """Gamma is drawn log-uniformly from 1/(1+gamma) .. 1+gamma."""
    width: int = Field(64, ge=8, description="channels of the feature pyramid")
    head_width: int = Field(256, ge=8, description="width of the box head")
    anchor_sizes: tuple[int, ...] | None = Field(
        None,
        description="anchor side in pixels at strides 4 to 64; without: what the backbone's heads were trained with",
    )
    rpn_samples: int = Field(128, ge=2)
    rpn_positive_iou: ClassVar[float] = 0.7
    """Overlap at which an anchor counts as a hit."""
    roi_samples: int = Field(64, ge=2)
    roi_positive_share: ClassVar[float] = 0.25
    """Share of the samples that may be hits."""
    proposals_before_nms: int = Field(200, ge=1)
    proposals: int = Field(100, ge=1)
    detections: int = Field(50, ge=1, le=100, description="most detections kept per image")
    score_threshold: float = Field(0.5, gt=0, lt=1, description="instances below this score stay out of the mIoU")
    checkpoint_every: int = Field(200, ge=1)
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto", description="auto: dense and cached in bf16 where the device computes it, the others in float32"
    )
    time_budget: TimeLimit = Field(
        None, description="5m: the training ends by then, at the rate of its end; None: by its steps"
    )
    dense: DenseConfig = DenseConfig()

    @property
    def longest(self) -> int:
        """The longest side in pixels; the smallest that ``auto`` gives, where no data set has been asked
        (:func:`detection.scale.fitted`)."""
        return 256 if self.image_size == "auto" else self.image_size

    def anchors(self, coco: bool) -> tuple[int, ...]:
        """Anchor sides at strides 4 to 64. The region proposals of the COCO weights were trained for 32 to 512 pixels:
        under other anchors their boxes and scores mean nothing.
        """
        return self.anchor_sizes or (COCO_ANCHORS if coco else LEAN_ANCHORS)

    def steps(self, defective: int) -> int:
        """Steps of a training on this many real photographs with a defect, were they all that is shown."""
        if self.iterations is not None:
            return self.iterations
        of_dense = self.detector in OWN_CROPS
        slots = self.dense.batch - self.dense.sound_slots() if of_dense else self.batch * (1 - self.normal_share)
        return max(1, math.ceil(self.exposures * defective / slots - 1e-9))

    def mixed_iterations(self, steps: int) -> int:
        """How many iterations, the first ones, may show generated photographs."""
        return steps - round(self.real_tail * steps)

    @model_validator(mode="after")
    def _of_any_pose(self) -> DetectConfig:
        if self.dense.mirrored and not self.flip:
            raise ValueError("dense.mirrored: needs flip=true; a net of parts of fixed pose knows no mirror image")
        return self

    @field_validator("detector")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DETECTORS:
            raise ValueError(f"no detector {name!r}{nearest(name, DETECTORS)}")
        return name

    @field_validator("real_share")
    @classmethod
    def _half_or_none(cls, share: float | None) -> float | None:
        if share is not None and 0 < share < 0.5:
            raise ValueError(f"{share:g} of every batch real is less than half; 0 trains on generated ones alone")
        return share

    @field_validator("anchor_sizes")
    @classmethod
    def _five_levels(cls, sizes: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if sizes is not None and (len(sizes) != 5 or any(size < 1 for size in sizes)):
            raise ValueError("needs five positive sizes, one for each of the strides 4, 8, 16, 32 and 64")
        return sizes


class CompareConfig(Config):
    """Arms × detectors × seeds: all cells of a detector train the same way, and all cells are tested on the same real
    photographs.

    ``detectors`` names rows of the table of detectors, the headline's first; none stands for the one of ``detect``.
    ``detector_settings`` holds what differs from ``detect`` for one detector: ``{retinanet: {lr: 0.0002}}``.
    """

    arms: tuple[str, ...] = (NO_AUGMENTATION, "geometric", "copy_paste", "best")
    seeds: int | tuple[int, ...] = 3
    workers: int = Field(0, ge=0, description="0: every core on a CPU, one on CUDA")
    fold: int = Field(0, ge=0, description="which fold of the groups the ingest held out; recorded in the table")
    split_test: str = "test"
    bootstrap: int = Field(200, ge=0, description="resamplings of the test objects; 0 leaves them out")
    detect: DetectConfig = DetectConfig()
    detectors: tuple[str, ...] = ()
    detector_settings: dict[str, dict[str, object]] = Field(default_factory=dict)
    time_budget: TimeLimit = Field(
        None, description="45m: ends by then with the cells that were reached; None: trains them all"
    )

    def seed_list(self) -> list[int]:
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    def detector_list(self) -> list[str]:
        return list(self.detectors) or [self.detect.detector]

    def detect_config(self, detector: str, arm: str | None = None) -> DetectConfig:
        """How that detector is trained in every cell, or in those of an arm: ``none`` is real from end to end, the
        same whatever the others' tail."""
        content = self.detect.model_dump() | self.detector_settings.get(detector, {}) | {"detector": detector}
        return DetectConfig(**content | ({"real_tail": 0.0} if arm == NO_AUGMENTATION else {}))

    @field_validator("detectors")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in DETECTORS:
                raise ValueError(f"no detector {name!r}{nearest(name, DETECTORS)}")
        if len(set(names)) != len(names):
            raise ValueError("each detector can be named once")
        return names

    @model_validator(mode="after")
    def _sensible(self) -> CompareConfig:
        if not self.arms or len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: needs at least one arm, each named once")
        seeds = self.seed_list()
        if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError("seeds: needs a positive number of seeds, or a list of different seeds from 0 up")
        for name in self.detector_settings:
            if name not in self.detector_list():
                raise ValueError(f"detector_settings: {name!r} is not compared{nearest(name, self.detector_list())}")
            try:
                self.detect_config(name)
            except ValidationError as error:
                place = ".".join(["detector_settings", name, *map(str, error.errors()[0]["loc"])])
                raise ValueError(f"{place}: {error.errors()[0]['msg']}") from error
        return self
