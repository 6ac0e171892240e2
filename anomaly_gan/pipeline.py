"""The pipeline: a table of stages and a loop over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from detection.config import NO_AUGMENTATION, CompareConfig
from mask_pool.config import PoolConfig

from .core.config import Config, build, choose_preset, dump_yaml, nearest, read_yaml
from .core.errors import ConfigError, InputError
from .core.files import atomic_path, write_text
from .core.ingest import IngestConfig, source_key
from .core.manifest import Context, is_fresh, read_manifest, run_stage, stage_key
from .report.config import ReportConfig
from .synthesis.config import GenerateConfig, TrainConfig
from .synthesis.gate_config import ExportConfig, GateConfig
from .synthesis.gate_config import source_keys as gate_keys
from .synthesis.registry import METHODS, method


class RunConfig(Config):
    """A whole run: one section per stage. ``data`` says where the labelled photographs are."""

    name: str = "run"
    preset: str = "default"
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    data: IngestConfig
    pool: PoolConfig = PoolConfig()
    train: TrainConfig = TrainConfig()
    generate: GenerateConfig = GenerateConfig()
    gate: GateConfig = GateConfig()
    export: ExportConfig = ExportConfig()
    compare: CompareConfig = CompareConfig()
    report: ReportConfig = ReportConfig()

    def methods(self) -> list[str]:
        """The arms that make photographs: all but ``none``.

        Raises:
            ConfigError: an arm that is no known method.
        """
        arms = [arm for arm in self.compare.arms if arm != NO_AUGMENTATION]
        for arm in arms:
            method(arm)
        return arms


@dataclass(frozen=True)
class Stage:
    """A row of the table. ``needs`` names stages; a stage that runs once per method needs its own method's.

    ``per``: ``run`` (once), ``method`` (once per arm that makes photographs), ``trained`` (those that learn).
    """

    name: str
    function: str
    section: str
    needs: tuple[str, ...] = ()
    per: Literal["run", "method", "trained"] = "run"


STAGES = (
    Stage("ingest", "anomaly_gan.core.ingest:run", "data"),
    Stage("pool", "mask_pool.stage:run", "pool", ("ingest",)),
    Stage("train", "anomaly_gan.synthesis.train:run", "train", ("ingest", "pool"), "trained"),
    Stage("generate", "anomaly_gan.synthesis.generate:run", "generate", ("ingest", "pool", "train"), "method"),
    Stage("gate", "anomaly_gan.synthesis.gate:run", "gate", ("ingest", "pool", "train", "generate"), "method"),
    Stage("export", "anomaly_gan.synthesis.export:run", "export", ("ingest", "gate"), "method"),
    Stage("compare", "detection.compare:run", "compare", ("ingest", "export")),
    Stage("report", "anomaly_gan.report.stage:run", "report",
          ("ingest", "pool", "train", "generate", "gate", "export", "compare")),
)


@dataclass(frozen=True)
class Step:
    """One stage folder of a run: ``generate@copy_paste``, its configuration, and the folders it reads."""

    name: str
    stage: Stage
    config: Config
    inputs: tuple[str, ...]


def plan(config: RunConfig) -> list[Step]:
    """All steps of a run, in order."""
    folders: dict[str, list[str]] = {}
    steps: list[Step] = []
    for stage in STAGES:
        section = getattr(config, stage.section)
        for name in _methods_of(stage, config):
            full = f"{stage.name}@{name}" if name else stage.name
            folders.setdefault(stage.name, []).append(full)
            wanted = [folder for need in stage.needs for folder in folders.get(need, [])]
            inputs = tuple(f for f in wanted if not name or "@" not in f or f.endswith(f"@{name}"))
            own = section.model_copy(update={"method": name}) if name else section
            steps.append(Step(full, stage, own, inputs))
    return steps


def _methods_of(stage: Stage, config: RunConfig) -> list[str]:
    if stage.per == "run":
        return [""]
    return [name for name in config.methods() if stage.per == "method" or METHODS[name].trainable]


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


def run_step(config: RunConfig, run: Path, step: Step) -> bool:
    """Run one step unless it is fresh; True where work was done."""
    context = Context(config.seed, config.device, {name: run / name for name in step.inputs})
    module, _, function = step.stage.function.partition(":")
    return run_stage(step.name, getattr(import_module(module), function), step.config, context, run / step.name,
                     outside_keys(step))


def outside_keys(step: Step) -> dict[str, str]:
    """Fingerprints of what lies outside the run: the user's photographs, the experts' drawings, the weights."""
    if isinstance(step.config, IngestConfig):
        return source_key(step.config)
    if isinstance(step.config, PoolConfig):
        from mask_pool.stage import source_keys

        return source_keys(step.config)
    if isinstance(step.config, GateConfig):
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
    for name in step.inputs:
        upstream = read_manifest(run / name)
        if upstream is None:
            return "stale"
        keys[name] = upstream["key"]
    try:
        keys |= outside_keys(step)
    except (InputError, ConfigError):
        return "stale"
    return "fresh" if is_fresh(folder, stage_key(step.name, step.config, config.seed, keys)) else "stale"
