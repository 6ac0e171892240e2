"""The pipeline: a table of stages and a loop over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from detection.detectors.config import NO_AUGMENTATION, CompareConfig
from detection.one_class.synthetic_filter.config import OneClassStageConfig, OpinionConfig
from mask_pool.build.config import PoolConfig

from ..core.config import Config, build, choose_preset, dump_yaml, merge, nearest, read_yaml
from ..core.errors import ConfigError, InputError
from ..core.files import atomic_path, write_text
from ..core.stage import Context, is_fresh, read_manifest, run_stage, stage_key
from ..ingest.stage import IngestConfig, source_key
from ..report.config import ReportConfig
from ..synthesis.feature_drift.config import FeaturesConfig
from ..synthesis.gate.config import ExportConfig, GateConfig
from ..synthesis.gate.config import source_keys as gate_keys
from ..synthesis.label_check.config import CertifyConfig
from ..synthesis.methods.config import GenerateConfig, TrainConfig
from ..synthesis.registry import method, training_of


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
    device: Literal["auto", "cpu", "cuda"] = "auto"
    data: IngestConfig
    pool: PoolConfig = PoolConfig()
    pool_variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Other pools for the arms ``METHOD@VARIANT``: what differs from ``pool``. Every generator learns on ``pool``."""
    train: TrainConfig = TrainConfig()
    train_methods: dict[str, dict[str, Any]] = Field({})
    """What differs from ``train`` for single methods."""
    generate: GenerateConfig = GenerateConfig()
    certify: CertifyConfig = CertifyConfig()
    gate: GateConfig = GateConfig()
    features: FeaturesConfig = FeaturesConfig()
    one_class: OneClassStageConfig = OneClassStageConfig()
    opinion: OpinionConfig = OpinionConfig()
    export: ExportConfig = ExportConfig()
    compare: CompareConfig = CompareConfig()
    report: ReportConfig = ReportConfig()

    @field_validator("pool_variants")
    @classmethod
    def _names(cls, variants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in variants:
            if not re.fullmatch(r"\w[\w-]*", name):
                raise ValueError(f"{name!r} cannot be part of a folder's name: use letters, digits, _ and -")
        return variants

    @model_validator(mode="after")
    def _opinion_is_given(self) -> RunConfig:
        if self.export.opinion == "drop" and not self.one_class.detectors:
            raise ValueError("export.opinion: drop needs a second opinion: set one_class.detectors, for example "
                             "[patch_memory]")
        return self

    @model_serializer(mode="wrap")
    def _only_where_asked(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the sections of optional stages where they say nothing: a run without them reads as ever."""
        content = dump(self)
        for name in (*OPTIONAL, "certify", "features", "train_methods"):
            if getattr(self, name) == type(self).model_fields[name].default:
                content.pop(name, None)
        return content

    def arms(self) -> list[Arm]:
        """The arms that make photographs: all but ``none``.

        Raises:
            ConfigError: an arm that is no known method, names no pool variant, or shows examples where there are none.
        """
        arms = [Arm.read(name) for name in self.compare.arms if name != NO_AUGMENTATION]
        for arm in arms:
            method(arm.method)
            if arm.variant and arm.variant not in self.pool_variants:
                raise ConfigError(f"compare.arms: {arm.name}: no pool variant {arm.variant!r}"
                                  f"{nearest(arm.variant, self.pool_variants)}")
            if arm.method == "examples" and self.training("anomaly_gan").painting != "example":
                raise ConfigError("compare.arms: examples: anomaly_gan starts from none; set train.painting: example")
        return arms

    def variant(self, name: str) -> PoolConfig:
        """The pool's configuration with the variant's own values laid over it; the pool itself for an empty name."""
        if not name:
            return self.pool
        content = merge(self.pool.model_dump(mode="json"), self.pool_variants[name])
        return build(PoolConfig, content, f"pool_variants.{name}")

    def training(self, name: str) -> TrainConfig:
        """The training of one method: its own recipe, what ``train`` gives, and what ``train_methods`` gives."""
        content = {**self.train.given(), **self.train_methods.get(name, {}), "method": name}
        return build(TrainConfig, content, f"train_methods.{name}" if name in self.train_methods else "train")


OPTIONAL = ("one_class", "opinion")
"""Stages, and their sections, that a run has only where ``one_class.detectors`` names some."""


@dataclass(frozen=True)
class Stage:
    """A row of the table. ``needs`` names stages; a stage of an arm needs its own arm's, its own variant's pool, and
    its own method's training.

    ``per``: ``run`` (once), ``variant`` (once per pool that an arm names), ``trained`` (once per method that
    learns, where an arm paints with it), ``arm`` (once per arm that makes photographs).
    """

    name: str
    function: str
    section: str
    needs: tuple[str, ...] = ()
    per: Literal["run", "variant", "trained", "arm"] = "run"


STAGES = (
    Stage("ingest", "anomaly_gan.ingest.stage:run", "data"),
    Stage("pool", "mask_pool.build.stage:run", "pool", ("ingest",), "variant"),
    Stage("train", "anomaly_gan.synthesis.training.stage:run", "train", ("ingest", "pool"), "trained"),
    Stage("generate", "anomaly_gan.synthesis.generate.stage:run", "generate", ("ingest", "pool", "train"), "arm"),
    Stage("certify", "anomaly_gan.synthesis.label_check.stage:run", "certify", ("ingest",)),
    Stage("gate", "anomaly_gan.synthesis.gate.stage:run", "gate", ("ingest", "pool", "train", "certify", "generate"),
          "arm"),
    Stage("features", "anomaly_gan.synthesis.feature_drift.stage:run", "features", ("ingest", "pool", "train"),
          "trained"),
    Stage("one_class", "detection.one_class.synthetic_filter.train_stage:run", "one_class", ("ingest",)),
    Stage("opinion", "detection.one_class.synthetic_filter.filter_stage:run", "opinion",
          ("ingest", "gate", "one_class"), "arm"),
    Stage("export", "anomaly_gan.synthesis.export.stage:run", "export", ("ingest", "pool", "gate", "opinion"), "arm"),
    Stage("compare", "detection.comparison.stage:run", "compare", ("ingest", "export")),
    Stage("report", "anomaly_gan.report.stage:run", "report",
          ("ingest", "pool", "train", "certify", "generate", "gate", "features", "one_class", "opinion", "export",
           "compare")),
)


@dataclass(frozen=True)
class Step:
    """One stage folder of a run (``generate@anomaly_gan@prior``), its configuration, and what it reads.

    ``inputs`` gives the folder for each name the stage knows: it asks for ``pool`` and ``generate@METHOD``, and an
    arm with a pool of its own answers with ``pool@VARIANT`` and ``generate@METHOD@VARIANT``.
    """

    name: str
    stage: Stage
    config: Config
    inputs: Mapping[str, str]


def plan(config: RunConfig) -> list[Step]:
    """All steps of a run, in order."""
    made: dict[str, list[Arm]] = {}
    steps: list[Step] = []
    for stage in STAGES:
        made[stage.name] = _runs_of(stage, config)
        for arm in made[stage.name]:
            steps.append(Step(_folder(stage, arm), stage, _section(stage, arm, config),
                              _inputs(stage, arm, made, config)))
    return steps


def _runs_of(stage: Stage, config: RunConfig) -> list[Arm]:
    """One arm for every folder of the stage."""
    arms = config.arms()
    if stage.name in OPTIONAL and not config.one_class.detectors:
        return []
    if stage.name == "certify" and not config.gate.certificate:
        return []
    if stage.per == "run":
        return [SHARED]
    if stage.per == "variant":
        return [SHARED, *dict.fromkeys(Arm("", arm.variant) for arm in arms if arm.variant)]
    if stage.per == "trained":
        trainings = dict.fromkeys(name for arm in arms if (name := training_of(arm.method)))
        return [Arm(name) for name in trainings if stage.name != "features" or config.training(name).keep_every]
    return arms


def _folder(stage: Stage, arm: Arm) -> str:
    return f"{stage.name}@{arm.name}" if arm != SHARED else stage.name


def _section(stage: Stage, arm: Arm, config: RunConfig) -> Config:
    if stage.per == "variant":
        return config.variant(arm.variant)
    if stage.name == "train":
        return config.training(arm.method)
    section: Config = getattr(config, stage.section)
    return section.model_copy(update={"method": arm.method}) if arm.method else section


def _needs(stage: Stage, config: RunConfig) -> set[str]:
    """The stages it reads. ``export`` reads the second opinion only where it acts on it, and the pool (whose objects
    of fixed shape keep their pose) only where it repeats real photographs: else asking for one would export and
    compare everything again."""
    if stage.name != "export":
        return set(stage.needs)
    unread = {"opinion": config.export.opinion == "keep", "pool": config.export.real_times == 1}
    return {need for need in stage.needs if not unread.get(need)}


def _inputs(stage: Stage, arm: Arm, made: Mapping[str, Sequence[Arm]], config: RunConfig) -> dict[str, str]:
    """What the stage knows by name -> folder: every folder of what it needs, or, for an arm's stage, that arm's own
    and the training its method paints with."""
    inputs: dict[str, str] = {}
    needs = _needs(stage, config)
    training = training_of(arm.method) if arm.method else None
    for need in (other for other in STAGES if other.name in needs):
        for other in made[need.name]:
            folder = _folder(need, other)
            if not arm.method:
                inputs[folder] = folder
            elif need.per == "trained":
                if other.method == training:
                    inputs[folder] = folder
            elif other.method in {"", arm.method} and (need.per == "run" or other.variant == arm.variant):
                inputs[f"{need.name}@{arm.method}" if other.method else need.name] = folder
    return inputs


def read_run_config(path: Path, settings: list[str], seed: int | None = None, device: str | None = None) -> RunConfig:
    """A run's configuration from YAML, its chosen preset, and ``--set``.

    Raises:
        ConfigError: one line naming file and field.
    """
    content = choose_preset(read_yaml(path), settings)
    content |= {key: value for key, value in (("seed", seed), ("device", device)) if value is not None}
    return build(RunConfig, content, str(path))


def select(steps: list[Step], first: str | None, last: str | None) -> list[Step]:
    """The steps from ``first`` to ``last``, each the name of a stage (``gate``) or of one folder (``gate@x``)."""

    def places(name: str) -> list[int]:
        found = [i for i, step in enumerate(steps) if name in (step.name, step.stage.name)]
        if not found:
            raise ConfigError(f"no stage {name!r}{nearest(name, [stage.name for stage in STAGES])}")
        return found

    start = places(first)[0] if first else 0
    end = places(last)[-1] if last else len(steps) - 1
    if start > end:
        raise ConfigError(f"--from {first} comes after --to {last}")
    return steps[start:end + 1]


def execute(config: RunConfig, run: Path, steps: list[Step], say: Callable[[str], None]) -> None:
    """Run the steps in order; what is fresh is skipped, what was cut off is resumed.

    Raises:
        InputError: a step's input stage has not finished (after ``--from``).
    """
    write_text(run / "run.yaml", dump_yaml(config))
    for step in steps:
        say(f"{step.name} ...")
        worked = run_step(config, run, step)
        say(f"{step.name}: {'done' if worked else 'fresh, skipped'} → {run / step.name}")
    if any(step.name == "report" for step in steps):
        publish_report(run)


def run_step(config: RunConfig, run: Path, step: Step, outside: dict[str, str] | None = None) -> bool:
    """Run one step unless it is fresh; True where work was done. ``outside``: its ``outside_keys``, where known."""
    module, _, function = step.stage.function.partition(":")
    return run_stage(step.name, getattr(import_module(module), function), step.config, context_of(config, run, step),
                     run / step.name, outside_keys(step) if outside is None else outside)


def context_of(config: RunConfig, run: Path, step: Step) -> Context:
    """What the step's stage is told besides its configuration."""
    inputs = {**step.inputs, **_asked_for(run, step)}
    return Context(config.seed, config.device, {name: run / folder for name, folder in inputs.items()})


def _asked_for(run: Path, step: Step) -> dict[str, str]:
    """What verbs of their own have laid into the run, for its report: its plan need not know of it."""
    if step.name != "report":
        return {}
    return {folder.name: folder.name for pattern in ("control@*", "features@*") for folder in sorted(run.glob(pattern))
            if read_manifest(folder)}


def outside_keys(step: Step) -> dict[str, str]:
    """Fingerprints of what lies outside the run: the user's photographs, the experts' drawings, the weights."""
    if isinstance(step.config, IngestConfig):
        return source_key(step.config)
    if isinstance(step.config, PoolConfig):
        from mask_pool.build.stage import source_keys

        return source_keys(step.config)
    if isinstance(step.config, GateConfig | FeaturesConfig):
        return gate_keys()
    return {}


def publish_report(run: Path) -> None:
    """Lay a copy of the finished report at the top of the run folder."""
    with atomic_path(run / "report.html") as temporary:
        temporary.write_bytes((run / "report" / "report.html").read_bytes())


def status(run: Path) -> Iterator[tuple[str, str]]:
    """(step, state) for every step of a run: fresh, stale, unfinished or missing.

    Raises:
        InputError: the folder is no run.
    """
    path = run / "run.yaml"
    if not path.is_file():
        raise InputError(str(run), "MISSING", "no run.yaml in this folder", "start it with `anomaly-gan run`")
    config = read_run_config(path, [])
    for step in plan(config):
        yield step.name, _state(config, run, step)


def _state(config: RunConfig, run: Path, step: Step) -> str:
    folder = run / step.name
    manifest = read_manifest(folder)
    if manifest is None:
        return "unfinished" if (folder / "started.json").is_file() else "missing"
    keys: dict[str, Any] = {}
    for name, folder_name in {**step.inputs, **_asked_for(run, step)}.items():
        upstream = read_manifest(run / folder_name)
        if upstream is None:
            return "stale"
        keys[name] = upstream["key"]
    try:
        keys |= outside_keys(step)
    except (InputError, ConfigError):
        return "stale"
    return "fresh" if is_fresh(folder, stage_key(step.name, step.config, config.seed, keys)) else "stale"
