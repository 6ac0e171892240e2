"""Configuration of a training; no torch here."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from ...core.config import Config, build, merge, nearest
from ...core.durations import TimeLimit
from ...core.errors import ConfigError
from ...engine.precision import Precision
from ..conditions import check_pattern
from ..interface import MethodConfig
from ..registry import METHODS
from . import old_keys
from .presets import PRESETS

if TYPE_CHECKING:
    import torch

    from ...nets.aware import AwareNet

Kind = TypeVar("Kind", bound=MethodConfig)


class NetsConfig(Config):
    """Nets of one size for every method, so that arms differ by method alone."""

    generator: Literal["lean_unet", "unet", "resnet"] = "lean_unet"
    base_width: int = Field(32, ge=4)
    depth: int = Field(3, ge=2, description="stages of a U-Net; the ResNet has two")
    norm: Literal["batch", "instance", "none"] = "none"
    widths: tuple[int, ...] = Field((16, 32, 64, 96), description="of Anomaly-GAN's, CGAN's and LSGAN's discriminators")
    patch_width: int = Field(32, ge=4, description="first width of the other methods' PatchGAN discriminators")

    @property
    def halvings(self) -> int:
        """How often the generator halves its input."""
        return 2 if self.generator == "resnet" else self.depth

    @model_validator(mode="after")
    def _lean_enough(self) -> NetsConfig:
        if self.generator == "lean_unet" and not 2 <= self.depth <= 4:
            raise ValueError(f"depth: the lean U-Net has 2 to 4 stages, not {self.depth}")
        return self


class TrainConfig(Config):
    """A method's training: schedule, optimiser and windows, which methods share, and ``recipe``, its own settings.

    Sizes are pixels; ``steps`` are generator steps. ``preset`` names a set of values that the values given override; a
    method's own settings may also stand beside the others by their bare names.
    """

    method: str = "anomaly_gan"
    preset: str = "default"
    steps: int = Field(2000, ge=1)
    batch: int = Field(16, ge=2)
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice")
    precision: Precision = Field("auto", description="auto: bf16-mixed where the device has bf16, else 32-true")
    learning_rate: float = Field(6e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.99)
    ema: float = Field(0.99, ge=0, lt=1)
    checkpoint_every: int = Field(100, ge=1)
    sample_every: int = Field(200, ge=0)
    keep_every: int = Field(
        0,
        ge=0,
        description="keep the painting generator's weights every N steps (a file "
        "of its size each), for `anomaly-gan features`; 0 keeps the last alone",
    )
    time_budget: TimeLimit = Field(None, description="90s, 25m, 1h30m: the training ends by then; None: by its steps")
    early_stop: int = Field(0, ge=0, description="evaluations without a better crop-KID after which to stop; 0: never")
    early_stop_every: int = Field(200, ge=1, description="steps between evaluations")
    early_stop_windows: ClassVar[int] = 64
    """Windows painted at each evaluation."""
    devices: int = Field(1, ge=1, description="processes, each on a device of its own, that share every batch")
    pretrain_steps: int = Field(
        0,
        ge=0,
        description="the first N steps learn from pseudo-defects "
        "rendered on normal photographs, before any batch shows a real one; every method",
    )
    framing: Literal["window", "whole"] = "window"
    size: int = Field(64, ge=16)
    scales: tuple[int, ...] = (1,)
    channels: Literal["auto", 1, 3] = "auto"
    flips: bool = True
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
    nets: NetsConfig = NetsConfig()
    recipe: SerializeAsAny[MethodConfig] = MethodConfig()

    @model_validator(mode="before")
    @classmethod
    def _lay_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Defaults of the method's own class, its row's preset, the preset asked for, the values given: in that order.

        A preset's ``recipe`` is Anomaly-GAN's, and so is no other method's.
        """
        name, preset = values.get("method", "anomaly_gan"), values.get("preset", "default")
        learners = [row for row in METHODS if METHODS[row].trainable]
        if name not in learners:
            known = f"{name!r} learns nothing" if name in METHODS else f"no method {name!r}"
            raise ValueError(f"method: {known}{nearest(str(name), learners)}")
        if preset not in PRESETS:
            raise ValueError(f"preset: no preset {preset!r}{nearest(str(preset), PRESETS)}")
        row = METHODS[name]
        kind = row.settings()
        below = merge(PRESETS[row.preset], PRESETS[preset])
        if kind is not METHODS["anomaly_gan"].settings():
            below.pop("recipe", None)
        merged = merge(below, sections(values, kind))
        try:
            return {**merged, "recipe": build(kind, merged.get("recipe", {}), "recipe")}
        except ConfigError as error:
            raise ValueError(str(error)) from error

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
        if self.recipe.exemplars and self.framing == "whole":
            raise ValueError("painting: only framing: window paints from exemplars; give another painter.painting")
        if self.pretrain_steps >= self.steps:
            raise ValueError(f"pretrain_steps: {self.pretrain_steps} leave none of {self.steps} steps for real defects")
        if self.pretrain_steps and self.time_budget:
            raise ValueError(
                "pretrain_steps: with a time_budget the time may end before a real defect is seen; give one of them"
            )
        if self.size % 2**self.nets.halvings:
            raise ValueError(f"size: {self.size} px cannot be halved {self.nets.halvings} times (nets.depth)")
        for name, side in {"size": self.size, **self.recipe.sides}.items():
            if side < 8 or side & (side - 1):
                raise ValueError(f"{name}: {side} must be a power of two of at least 8")
            if (side // 4).bit_length() - 1 > len(self.nets.widths):
                raise ValueError(f"nets.widths: {name} {side} px needs {(side // 4).bit_length() - 1} widths")
        return self

    def own(self, kind: type[Kind]) -> Kind:
        """The method's own settings, as the class that its builder knows them by."""
        assert isinstance(self.recipe, kind), f"{self.method}: {type(self.recipe).__name__} is not {kind.__name__}"
        return self.recipe

    def given_to(self, method: str) -> dict[str, object]:
        """What this section gives to ``method``: the preset, and the values that differ from it. Another
        method gets nothing of ``recipe``, and nothing that its own paper fixes: that was meant for this one.
        A value given as the preset has it cannot be told from one left out."""
        given = _difference(self.model_dump(), TrainConfig(method=self.method, preset=self.preset).model_dump())
        if method != self.method:
            given.pop("recipe", None)
            given = _without(given, PRESETS[METHODS[method].preset])
        given.pop("method", None)
        return {**given, "preset": self.preset}


@dataclass(frozen=True)
class TaskSetup:
    """What every method that learns is built from.

    ``channels``: 1 (gray) or 3 (RGB) of the photographs; ``categories``: how many; ``aware``: the frozen abnormal aware
    network, None where the method needs none; ``seed`` of the weights; ``device``: where the nets lie, None: the CPU.
    """

    config: TrainConfig
    channels: int
    categories: int
    aware: AwareNet | None
    seed: int
    device: torch.device | None = None


def sections(values: dict[str, object], kind: type[MethodConfig]) -> dict[str, object]:
    """``values`` as mappings, with the method's own settings in ``recipe`` wherever they were given."""
    plain = {name: value.model_dump() if isinstance(value, Config) else value for name, value in values.items()}
    rest = old_keys.sorted_in(plain, kind)
    own = {name: rest.pop(name) for name in list(rest) if _is_own(name, kind)}
    return merge({**rest, "recipe": rest.get("recipe") or {}}, {"recipe": own})


def _is_own(name: str, kind: type[MethodConfig]) -> bool:
    """Whether a key is one of the method's own settings, or at least none that looks like a shared one."""
    return name in kind.model_fields or not get_close_matches(name, TrainConfig.model_fields, n=1)


def _difference(now: dict[str, object], before: dict[str, object]) -> dict[str, object]:
    """Values of ``now`` that are others than ``before``'s, mappings taken apart."""
    found: dict[str, object] = {}
    for name, value in now.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            value = _difference(value, old)
            if not value:
                continue
        elif value == old:
            continue
        found[name] = value
    return found


def _without(values: dict[str, object], fixed: dict[str, object]) -> dict[str, object]:
    """``values`` but for those that ``fixed`` names, mappings taken apart."""
    left: dict[str, object] = {}
    for name, value in values.items():
        inner = fixed.get(name)
        if isinstance(value, dict):
            left[name] = _without(value, inner if isinstance(inner, dict) else {})
        elif name not in fixed:
            left[name] = value
    return left
