"""What the verdict is made of: the figures of a run's finished stages, gathered and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detection.detectors.config import NO_AUGMENTATION, OWN_CROPS
from detection.scale import fitting_size, measure_scale

from ...core.dataset import Dataset
from ...core.durations import seconds_of
from ...synthesis.choice.result import Choice
from ...synthesis.gate.results import CategoryResult, GateResult, MetricResult
from ..folders import Run, StageFolder
from ..tables import mapping


@dataclass(frozen=True)
class Interval:
    """A difference of AP@0.5 to real photographs alone and its 95 % interval; None where there is no interval."""

    mean: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def read(cls, content: Any) -> Interval | None:
        found = mapping(content)
        mean = found.get("mean")
        return None if mean is None else cls(float(mean), found.get("low"), found.get("high"))

    @property
    def above(self) -> bool:
        return self.low is not None and self.low > 0

    @property
    def below(self) -> bool:
        return self.high is not None and self.high < 0


@dataclass(frozen=True)
class Training:
    """How a generator was trained: steps done and planned, and what ended it (``steps``, ``time``, ``plateau``)."""

    steps: int
    planned: int
    ended_by: str = "steps"
    minutes: float | None = None
    """Its time budget, where it had one."""
    warnings: tuple[str, ...] = ()
    """Signs that it came to nothing (``synthesis.training.collapse``)."""


@dataclass(frozen=True)
class CategoryFacts:
    """One category of one arm. ``ap_real``: AP@0.5 with real photographs alone; ``ap``: with this arm's.

    ``width_px``: the median defect's width at the scale at which the detector sees it."""

    name: str
    gate: CategoryResult | None = None
    dropped: bool = False
    train_objects: int = 0
    test_objects: int = 0
    width_px: float | None = None
    ap_real: float | None = None
    ap: float | None = None
    over_seeds: Interval | None = None
    over_objects: Interval | None = None

    def metric(self, name: str) -> MetricResult | None:
        return self.gate.metrics.get(name) if self.gate else None


@dataclass(frozen=True)
class Facts:
    """One arm. ``seeds`` and ``detector`` are None where nothing was compared; ``sound_test`` counts the test split's
    photographs without a defect; ``pool`` and ``detect`` are the configuration's sections."""

    arm: str
    categories: tuple[CategoryFacts, ...] = ()
    training: Training | None = None
    compared: bool = False
    seeds: int = 0
    detector: str | None = None
    image_size: int | None = None
    size_chosen: bool = False
    """Whether the program chose ``image_size`` for the defects, or the configuration says it."""
    ap_real: float | None = None
    sound_test: int | None = None
    nothing_passed: bool = False
    not_reached: bool = False
    """Whether time left the arm without a trained detector."""
    ended: tuple[str, ...] = ()
    """What time ended before all was done, in words; the generator's training has its own figures."""
    pool: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    """Which method paints which category, where the arm's method chooses."""


def read_facts(run: Run) -> list[Facts]:
    """One for every arm that was gated or compared: the one with a training of its own first."""
    ingest = run.get("ingest")
    dataset = ingest.dataset() if ingest else None
    compare = run.get("compare")
    summary = compare.json("summary.json") if compare else {}
    arms = run.methods("gate")
    arms += [name for name in mapping(summary.get("arms")) if name not in (NO_AUGMENTATION, *arms)]
    scale = read_scale(compare, dataset)
    return [read_arm(arm, run, dataset, compare, summary, scale) for arm in arms]


@dataclass(frozen=True)
class Scale:
    """By category the median defect's width in pixels as the headline's detector sees it; ``image_size``: the longest
    side it sees, None where it sees photographs as they are; ``chosen`` by the program, for the defects."""

    widths: Mapping[str, float] = field(default_factory=dict)
    image_size: int | None = None
    chosen: bool = False


def read_scale(compare: StageFolder | None, dataset: Dataset | None) -> Scale:
    """Of the comparison as it is configured."""
    if compare is None or dataset is None:
        return Scale()
    scales = measure_scale(dataset.split("train"))
    detect = {**mapping(compare.config.get("detect"))}
    name = (compare.config.get("detectors") or [detect.get("detector")])[0]
    detect |= mapping(mapping(compare.config.get("detector_settings")).get(name))
    if name in OWN_CROPS or detect.get("view") == "tiles":
        return Scale({key: one.width_px for key, one in scales.items()})
    given = detect.get("image_size")
    size = given if isinstance(given, int) else fitting_size(scales)
    return Scale({key: one.width_at(size) for key, one in scales.items()}, size, size != given)


def read_arm(
    arm: str,
    run: Run,
    dataset: Dataset | None,
    compare: StageFolder | None,
    summary: Mapping[str, Any],
    scale: Scale,
) -> Facts:
    """The facts of one arm, from the finished stages.

    Args:
        arm: name of the arm.
        run: the run's finished stages.
        dataset: the ingested data set; None where it is not at hand.
        compare: the comparison's folder; None: not finished.
        summary: the comparison's summary.
        scale: pixels per millimetre, and the least size by category.

    Returns:
        What the verdict's rules look at.
    """
    result = read_gate(run.get(f"gate@{arm}"))
    export = run.get(f"export@{arm}")
    of_arm, real = (mapping(mapping(summary.get("arms")).get(name)) for name in (arm, NO_AUGMENTATION))
    names = list(result.categories) if result else list(mapping(of_arm.get("categories")))
    pool = run.get("@".join(part for part in ("pool", arm.partition("@")[2]) if part)) or run.get("pool")
    return Facts(
        arm,
        tuple(_category(name, result, dataset, of_arm, real, scale.widths) for name in names),
        read_training(run, arm),
        bool(of_arm),
        len(summary.get("seeds") or []),
        summary.get("detector"),
        scale.image_size,
        scale.chosen,
        mapping(real.get("map50")).get("mean"),
        len(dataset.split("test").normals()) if dataset else None,
        bool(export and export.metrics.get("nothing_passed")),
        not of_arm and any(str(name).startswith(f"{arm}-") for name in summary.get("missing") or []),
        ended_by_time(run, arm, summary),
        pool.config if pool else {},
        read_choices(run, arm),
    )


def read_choices(run: Run, arm: str) -> tuple[Choice, ...]:
    """Of the stage ``choose`` that the arm's generation read; none where it read none, or one of an older version."""
    stage = run.get(_choice_of(run, arm))
    try:
        return tuple(map(Choice.from_json, stage.metrics["categories"].values())) if stage else ()
    except (KeyError, TypeError, AttributeError):
        return ()


def _choice_of(run: Run, arm: str) -> str:
    """``choose``, where the arm's generation read it."""
    made = run.get(f"generate@{arm}")
    return "choose" if made and "choose" in mapping(made.manifest.get("inputs")) else ""


def ended_by_time(run: Run, arm: str, summary: Mapping[str, Any]) -> tuple[str, ...]:
    """A clause for every stage of the arm that a time budget ended, and for the comparison."""
    variant = arm.partition("@")[2]
    names = (
        f"pool@{variant}" if variant else "pool",
        f"generate@{arm}",
        f"gate@{arm}",
        "label_check",
        _choice_of(run, arm),
    )
    pooled, made, judged, checked, tried = (
        stage.metrics if stage and stage.metrics.get("ended_by") == "time" else {} for stage in map(run.get, names)
    )
    found = [f"{pooled['count']} of {pooled['planned']} masks of each category were built"] if pooled else []
    found += [f"{tried['painted']} of {tried['planned']} masks were painted to choose a method"] if tried else []
    found += [f"{made['count']} of {made['planned']} photographs were generated"] if made else []
    left = sum(mapping(judged.get("not_judged")).values())
    found += [f"{left} generated photographs were not looked at"] if left else []
    blank = judged.get("not_measured") or []
    found += [f"the gate's figures of {', '.join(blank)} were not measured"] if blank else []
    found += [f"the label check was trained {checked['steps']} of {checked['planned_steps']} steps"] if checked else []
    missing, short = len(summary.get("missing") or []), int(summary.get("ended_by_time") or 0)
    found += [f"{_trainings(missing)} not reached"] if missing else []
    found += [f"{_trainings(short)} shorter than planned"] if short else []
    return tuple(found)


def _trainings(number: int) -> str:
    return "one training of a detector was" if number == 1 else f"{number} trainings of a detector were"


def read_gate(stage: StageFolder | None) -> GateResult | None:
    """What the gate says; None where it has not run, or an older one wrote less than a verdict needs."""
    try:
        return GateResult.from_json(stage.metrics) if stage else None
    except (KeyError, TypeError, AttributeError):
        return None


def _category(
    name: str,
    gate: GateResult | None,
    dataset: Dataset | None,
    arm: Mapping[str, Any],
    real: Mapping[str, Any],
    widths: Mapping[str, float],
) -> CategoryFacts:
    own = mapping(mapping(arm.get("categories")).get(name))
    return CategoryFacts(
        name,
        gate.categories.get(name) if gate else None,
        bool(gate and name in gate.dropped),
        objects_of(dataset, "train", name),
        objects_of(dataset, "test", name),
        widths.get(name),
        mapping(mapping(real.get("categories")).get(name)).get("ap50"),
        own.get("ap50"),
        Interval.read(own.get("difference")),
        Interval.read(own.get("difference_over_objects")),
    )


def objects_of(dataset: Dataset | None, split: str, name: str) -> int:
    """Number of physical objects of a split that show the category."""
    if dataset is None:
        return 0
    part = dataset.split(split)
    numbers = {category.id for category in part.categories if category.name == name}
    group_of = {image.id: image.group_id for image in part.images}
    return len({group_of[item.image_id] for item in part.annotations if item.category_id in numbers})


def read_training(run: Run, arm: str) -> Training | None:
    """The training that the arm paints with, which its generation read; None where its method learns nothing."""
    made = run.get(f"generate@{arm}")
    read = mapping(made.manifest.get("inputs")) if made else {}
    stage = run.get(next((name for name in read if name.startswith("train@")), ""))
    if stage is None or not isinstance(stage.metrics.get("steps"), int):
        return None
    steps, metrics = stage.metrics["steps"], stage.metrics
    budget = stage.config.get("time_budget")
    minutes = seconds_of(budget) / 60 if budget else None
    warnings = tuple(str(sentence) for sentence in metrics.get("warnings", ()))
    planned = int(metrics.get("planned_steps", steps))
    return Training(steps, planned, str(metrics.get("ended_by", "steps")), minutes, warnings)
