"""The configuration of a whole run: one section per stage, and its arms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from detection.detectors.config import NO_AUGMENTATION, CompareConfig
from detection.one_class.synthetic_filter.config import OneClassFilterConfig, OneClassStageConfig
from mask_pool.build.config import PoolConfig

from ..core.config import Config, build, choose_preset, merge, nearest, read_yaml
from ..core.devices import Device
from ..core.durations import TimeLimit
from ..core.errors import ConfigError
from ..core.progress import say
from ..ingestion.stage import IngestConfig
from ..report.config import ReportConfig
from ..synthesis.choice.config import ChooseConfig
from ..synthesis.feature_drift.config import FeatureDriftConfig
from ..synthesis.gate.config import ExportConfig, GateConfig
from ..synthesis.generate.config import GenerateConfig
from ..synthesis.label_check.config import LabelCheckConfig
from ..synthesis.methods import old_keys
from ..synthesis.methods.config import TrainConfig, sections
from ..synthesis.registry import method


@dataclass(frozen=True)
class Arm:
    """``METHOD`` or ``METHOD@VARIANT``: how photographs are made, and from which pool. ``SHARED`` is neither."""

    method: str = ""
    variant: str = ""

    @classmethod
    def read(cls, name: str) -> Arm:
        method, _, variant = name.partition("@")
        return cls(method, variant)

    @property
    def name(self) -> str:
        return "@".join(part for part in (self.method, self.variant) if part)


SHARED = Arm()
"""Stands for what all arms share: the data set, the pool itself, the comparison."""


class RunConfig(Config):
    """A whole run: one section per stage. ``data`` says where the labelled photographs are."""

    name: str = "run"
    preset: str = "default"
    seed: int = 0
    device: Device = "auto"
    data: IngestConfig
    pool: PoolConfig = PoolConfig()
    pool_variants: dict[str, dict[str, object]] = Field(default_factory=dict)
    """Other pools for the arms ``METHOD@VARIANT``: what differs from ``pool``. Every generator learns on ``pool``."""
    train: TrainConfig = TrainConfig()
    train_methods: dict[str, dict[str, object]] = Field({})
    """By method: its own settings, which no other method reads, and what of ``train`` is different for it."""
    choose: ChooseConfig = ChooseConfig()
    generate: GenerateConfig = GenerateConfig()
    label_check: LabelCheckConfig = LabelCheckConfig()
    gate: GateConfig = GateConfig()
    features: FeatureDriftConfig = FeatureDriftConfig()
    one_class: OneClassStageConfig = OneClassStageConfig()
    one_class_filter: OneClassFilterConfig = OneClassFilterConfig()
    export: ExportConfig = ExportConfig()
    compare: CompareConfig = CompareConfig()
    report: ReportConfig = ReportConfig()
    time_budgets: dict[str, TimeLimit] = Field(default_factory=dict)
    """``time_budget`` of single stage folders (``gate@anomaly_gan: 2m``): what ``--time-budget`` ended stands here."""

    @model_validator(mode="before")
    @classmethod
    def _name_old_keys(cls, values: dict[str, object]) -> dict[str, object]:
        train, methods = values.get("train"), values.get("train_methods")
        line = old_keys.notice(train if isinstance(train, dict) else {}, methods if isinstance(methods, dict) else {})
        if line:
            _say_once(line)
        return values

    @field_validator("pool_variants")
    @classmethod
    def _names(cls, variants: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
        for name in variants:
            if not re.fullmatch(r"\w[\w-]*", name):
                raise ValueError(f"{name!r} cannot be part of a folder's name: use letters, digits, _ and -")
        return variants

    @model_validator(mode="after")
    def _filter_is_given(self) -> RunConfig:
        if self.export.outliers == "drop" and not self.one_class.detectors:
            raise ValueError(
                "export.outliers: drop needs a one-class filter: set one_class.detectors, for example [patch_memory]"
            )
        return self

    def arms(self) -> list[Arm]:
        """The arms that make photographs: all but ``none``.

        Raises:
            ConfigError: an arm that is no known method, names no pool variant, or shows exemplars where there are none.
        """
        arms = [Arm.read(name) for name in self.compare.arms if name != NO_AUGMENTATION]
        for arm in arms:
            method(arm.method)
            if arm.variant and arm.variant not in self.pool_variants:
                raise ConfigError(
                    f"compare.arms: {arm.name}: no pool variant {arm.variant!r}"
                    f"{nearest(arm.variant, self.pool_variants)}"
                )
            if arm.method == "exemplar" and not self.training("anomaly_gan").recipe.exemplars:
                raise ConfigError(
                    "compare.arms: exemplar: anomaly_gan starts from none; set "
                    "train_methods.anomaly_gan.painter.painting: exemplar"
                )
        return arms

    def variant(self, name: str) -> PoolConfig:
        """The pool's configuration with the variant's own values laid over it; the pool itself for an empty name."""
        if not name:
            return self.pool
        content = merge(self.pool.model_dump(mode="json"), self.pool_variants[name])
        return build(PoolConfig, content, f"pool_variants.{name}")

    def training(self, name: str) -> TrainConfig:
        """The training of one method: its own recipe, what ``train`` gives and the recipe leaves open, and what
        ``train_methods`` gives it by name."""
        over = sections(self.train_methods.get(name, {}), method(name).settings())
        content = merge(self.train.given_to(name), over) | {"method": name}
        return build(TrainConfig, content, f"train_methods.{name}" if name in self.train_methods else "train")


@lru_cache
def _say_once(line: str) -> None:
    say(line)


OPTIONAL = ("one_class", "one_class_filter")
"""Stages, and their sections, that a run has only where ``one_class.detectors`` names some."""


def read_run_config(path: Path, settings: list[str], seed: int | None = None, device: str | None = None) -> RunConfig:
    """A run's configuration from YAML, its chosen preset, and ``--set``.

    Raises:
        ConfigError: one line naming file and field.
    """
    content = choose_preset(read_yaml(path), settings)
    content |= {key: value for key, value in (("seed", seed), ("device", device)) if value is not None}
    return build(RunConfig, content, str(path))
