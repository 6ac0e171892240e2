"""Configuration of the one-class filter in a run. Nothing here imports torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from anomaly_gan.core.config import Config
from anomaly_gan.core.durations import TimeLimit
from anomaly_gan.core.errors import ConfigError

from ..registry import ONE_CLASS, one_class


class OneClassStageConfig(Config):
    """Which one-class detectors learn from the training split's normals; none: the run has no one-class filter.

    ``settings`` changes single settings of a detector's preset: ``{"iaead": {"epochs": 60}}``. ``held_out`` is the
    share of the normal objects, whole, that no detector learns from; the thresholds are calibrated on them at
    ``false_alarm``. ``flatten``: scale each photograph by its border's brightness. ``threads``: 0 leaves them as is.
    ``time_budget`` (``5m``): the trainings end by then, each with a like share of it.
    """

    detectors: tuple[str, ...] = ()
    preset: Literal["quick", "full"] = "quick"
    settings: dict[str, dict[str, object]] = Field(default_factory=dict)
    held_out: float = Field(0.25, gt=0, lt=1)
    false_alarm: float = Field(0.05, gt=0, lt=1)
    flatten: bool = False
    threads: int = Field(1, ge=0)
    time_budget: TimeLimit = None

    @field_validator("detectors")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ONE_CLASS:
                raise ValueError(_message(name))
        if len(set(names)) < len(names):
            raise ValueError("a detector stands twice")
        return names

    @model_validator(mode="after")
    def _settings_fit(self) -> OneClassStageConfig:
        for name in self.settings:
            if name not in self.detectors:
                raise ValueError(f"settings: {name} is not among the detectors")
        for name in self.detectors:
            try:
                one_class(name).configure(self.preset, self.settings.get(name), f"settings.{name}")
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self


class OneClassFilterConfig(Config):
    """When a synthetic photograph is an outlier.

    A detector must find its defect unusual, and none its background. A defect is unusual where the map's greatest
    value in the mask exceeds what ``against`` says: ``same_mask``: the values in the very same mask on held-out
    normals, at the false-alarm rate asked for; ``whole_map``: the threshold for the greatest value of a whole map,
    which few small defects exceed.
    A detector without a map goes by the score of the whole photograph. The mask is grown by ``grow`` of the
    detector's side to find the defect; what lies farther than ``halo`` of the side from it is background. Between the
    two nothing is found: patch features see some of the defect from there.
    A pixel of the background is blamed where its map value is above the detector's threshold for maps and above the
    base photograph's own values within ``grow`` of it by more than ``margin`` of the way from a typical value to the
    threshold.
    """

    method: str = "anomaly_gan"
    against: ClassVar[Literal["same_mask", "whole_map"]] = "same_mask"
    grow: ClassVar[float] = 0.0625
    halo: ClassVar[float] = 0.15
    margin: ClassVar[float] = 0.25
    batch: int = Field(64, ge=1)
    normals: int = Field(400, ge=20)
    """Most held-out normals that ``same_mask`` compares with."""


def _message(name: str) -> str:
    try:
        one_class(name)
    except ConfigError as error:
        return str(error).partition(": ")[2]
    raise AssertionError(name)
