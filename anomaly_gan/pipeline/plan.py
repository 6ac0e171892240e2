"""Which steps a run consists of, in order, and what each reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core import renamed
from ..core.config import Config, nearest
from ..core.errors import ConfigError
from ..core.renamed import newest
from ..synthesis.registry import method, training_of
from .config import OPTIONAL, SHARED, Arm, RunConfig
from .stages import STAGES, Stage


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
            steps.append(
                Step(_folder(stage, arm), stage, _limited(stage, arm, config), _inputs(stage, arm, made, config))
            )
    return steps


def _runs_of(stage: Stage, config: RunConfig) -> list[Arm]:
    """One arm for every folder of the stage."""
    arms = config.arms()
    if stage.name in OPTIONAL and not config.one_class.detectors:
        return []
    if stage.name == "choose" and not any(method(arm.method).chooses for arm in arms):
        return []
    if stage.name == "label_check" and not config.gate.label_check:
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


def _limited(stage: Stage, arm: Arm, config: RunConfig) -> Config:
    """The step's section, with the time that was set for just this folder."""
    section, limit = _section(stage, arm, config), config.time_budgets.get(_folder(stage, arm))
    return section.model_copy(update={"time_budget": limit}) if limit and hasattr(section, "time_budget") else section


def _section(stage: Stage, arm: Arm, config: RunConfig) -> Config:
    if stage.per == "variant":
        return config.variant(arm.variant)
    if stage.name == "train":
        return config.training(arm.method)
    section: Config = getattr(config, stage.section)
    return section.model_copy(update={"method": arm.method}) if arm.method else section


def _needs(stage: Stage, arm: Arm, config: RunConfig) -> set[str]:
    """The stages it reads. An arm reads the choice between methods only where its method chooses. ``export`` reads the
    one-class filter only where it acts on it, and the pool (whose objects of fixed shape keep their pose) only where it
    repeats real photographs: else asking for one would export and compare everything again."""
    if stage.name != "export":
        unasked = {"choose"} if arm.method and not method(arm.method).chooses else set()
        return set(stage.needs) - unasked
    unread = {"one_class_filter": config.export.outliers == "keep", "pool": config.export.real_times == 1}
    return {need for need in stage.needs if not unread.get(need)}


def _inputs(stage: Stage, arm: Arm, made: Mapping[str, Sequence[Arm]], config: RunConfig) -> dict[str, str]:
    """What the stage knows by name -> folder: every folder of what it needs, or, for an arm's stage, that arm's own
    and the training its method paints with."""
    inputs: dict[str, str] = {}
    needs = _needs(stage, arm, config)
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


def select(steps: list[Step], first: str | None, last: str | None) -> list[Step]:
    """The steps from ``first`` to ``last``, each the name of a stage (``gate``) or of one folder (``gate@x``)."""

    def places(name: str) -> list[int]:
        kind, at, arm = name.partition("@")
        name = f"{newest(kind, renamed.STAGES, 'the stage')}{at}{arm}"
        found = [i for i, step in enumerate(steps) if name in (step.name, step.stage.name)]
        if not found:
            raise ConfigError(f"no stage {name!r}{nearest(name, [stage.name for stage in STAGES])}")
        return found

    start = places(first)[0] if first else 0
    end = places(last)[-1] if last else len(steps) - 1
    if start > end:
        raise ConfigError(f"--from {first} comes after --to {last}")
    return steps[start : end + 1]
