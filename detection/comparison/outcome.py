"""The content of a comparison's ``summary.json``, written here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from ..evaluation.metric_names import TITLES
from ..evaluation.statistics import Interval
from ..exposure import Exposure

NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True)
class Level:
    """A figure over seeds: one value a seed, their mean and its interval."""

    interval: Interval
    values: Sequence[float]

    def to_json(self) -> dict[str, object]:
        return {**self.interval.to_json(), "values": list(self.values)}


@dataclass(frozen=True)
class Change:
    """A paired difference to another arm and what it shows; ``values``: one a seed, None over test objects."""

    interval: Interval
    verdict: str
    values: Sequence[float] | None = None

    def to_json(self) -> dict[str, object]:
        values = {} if self.values is None else {"values": list(self.values)}
        return {**self.interval.to_json(), **values, "verdict": self.verdict}


def json_of(value: Level | Change | None) -> dict[str, object] | None:
    return None if value is None else value.to_json()


@dataclass(frozen=True)
class CategoryChange:
    """The difference of AP@0.5 to the base in one category, by seed and (where they were drawn) over test objects."""

    difference: Change
    over_objects: Change | None = None

    def to_json(self) -> dict[str, object]:
        objects = {"difference_over_objects": self.over_objects.to_json()} if self.over_objects else {}
        return {"difference": self.difference.to_json(), **objects}


@dataclass(frozen=True)
class CategoryMeans:
    """Means over seeds, None where the test split has none of the category."""

    ap50: float | None
    ap: float | None
    iou: float | None


@dataclass(frozen=True)
class ArmSummary:
    """One arm's figures over seeds, and its differences to ``none``.

    ``difference``: by figure; None for ``none`` itself and where it has no cell. ``drawn``: whether test objects were
    drawn again. ``shared``: the method on the shared pool that an arm with a pool of its own is set against.
    """

    arm: str
    metrics: Mapping[str, Level | None]
    n_real: int | None
    n_synthetic: int | None
    exposure: Exposure
    categories: Mapping[str, CategoryMeans]
    difference: Mapping[str, Change | None] | None = None
    drawn: bool = False
    over_objects: Change | None = None
    by_category: Mapping[str, CategoryChange] = field(default_factory=dict)
    shared: str | None = None
    to_shared_pool: Change | None = None

    def to_json(self) -> dict[str, object]:
        content: dict[str, object] = {name: json_of(level) for name, level in self.metrics.items()}
        content |= {"n_real": self.n_real, "n_synthetic": self.n_synthetic, "sentence": self.sentence()}
        content["exposure"] = {kind: row.to_json() for kind, row in self.exposure.items()}
        content["categories"] = {
            name: {**asdict(means), **(self.by_category[name].to_json() if name in self.by_category else {})}
            for name, means in self.categories.items()
        }
        if self.difference is not None:
            content["difference"] = {name: json_of(change) for name, change in self.difference.items()}
        if self.drawn:
            content["difference_over_objects"] = json_of(self.over_objects)
        if self.shared is not None:
            content["difference_to_shared_pool"] = json_of(self.to_shared_pool)
        return content

    def sentence(self) -> str:
        """One line a reader can take away."""
        own, difference = self.metrics["map50"], (self.difference or {}).get("map50")
        if own is None:
            return f"{self.arm}: no figure, the test split holds no defect that is evaluated."
        if difference is None:
            level = own.interval
            return f"{self.arm}: {TITLES['map50']} {level.mean:.3f}{_range(level)} over {_count(own.values)}."
        told, objects = difference.verdict != NO_DIFFERENCE, self.over_objects
        text = f"{self.arm}: {difference.verdict} than none" if told else f"{self.arm}: no difference to none shown"
        text += f": {TITLES['map50']} {difference.interval.mean:+.3f}{_range(difference.interval, sign=True)}"
        text += f" over {_count(difference.values or ())}"
        if objects is not None and objects.interval.low is not None:
            text += f"; over other test objects [{objects.interval.low:+.3f}, {objects.interval.high:+.3f}]"
            if told and objects.verdict != difference.verdict:
                text += ", so not shown to carry to other objects"
        if self.to_shared_pool is not None:
            change = self.to_shared_pool
            text += f"; against {self.shared} on the shared pool {change.interval.mean:+.3f}"
            text += f"{_range(change.interval, sign=True)} ({change.verdict})"
        return text + "."


def _range(interval: Interval, sign: bool = False) -> str:
    if interval.low is None:
        return " (one seed: no interval)"
    form = "+.3f" if sign else ".3f"
    return f" [{interval.low:{form}}, {interval.high:{form}}]"


def _count(values: Sequence[float]) -> str:
    return f"{len(values)} seed" + ("s" if len(values) != 1 else "")


@dataclass(frozen=True)
class DetectorSummary:
    """Of one detector: what it was evaluated on (``masks`` or ``boxes``), the steps of its first cell, its arms."""

    judged_on: str
    iterations: int | None
    arms: Mapping[str, ArmSummary]

    def to_json(self) -> dict[str, object]:
        return {
            "judged_on": self.judged_on,
            "iterations": self.iterations,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
        }


@dataclass(frozen=True)
class CategoryCount:
    objects: int
    images: int
    instances: int


@dataclass(frozen=True)
class HeldOutCount:
    """How much the test split holds: an interval is only as good as the number of different objects behind it."""

    images: int
    objects: int
    defect_images: int
    defect_objects: int
    instances: int
    categories: Mapping[str, CategoryCount]

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def sentence(self) -> str:
        return (
            f"Evaluated on {self.instances} defects of {self.defect_objects} objects ({self.images} photographs of "
            f"{self.objects} objects in all). The interval over seeds says how repeatable the training is; the "
            "interval over objects says how far the result would carry to other objects of the same kind."
        )


@dataclass(frozen=True)
class Left:
    """What a comparison is without: cells that are missing, arms of which the gate let nothing pass, the cells that
    their time ended, and a sentence where versions are mixed. What there is none of is not written."""

    missing: Sequence[str] = ()
    nothing_passed: Sequence[str] = ()
    ended_by_time: int = 0
    versions: str | None = None

    def to_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Summary:
    """A comparison; ``detectors`` in their order, of which the first is the headline's."""

    fold: int
    seeds: Sequence[int]
    test: HeldOutCount
    detectors: Mapping[str, DetectorSummary]
    left: Left = Left()
    backbones: Mapping[str, str] = field(default_factory=dict)
    not_reached: str = ""

    @property
    def detector(self) -> str:
        return next(iter(self.detectors))

    @property
    def first(self) -> DetectorSummary:
        return self.detectors[self.detector]

    def to_json(self) -> dict[str, object]:
        return {
            "detector": self.detector,
            "fold": self.fold,
            **self.first.to_json(),
            "seeds": list(self.seeds),
            "test": self.test.to_json(),
            "detectors": {name: part.to_json() for name, part in self.detectors.items()},
            "note": f"{self.not_reached} {self.test.sentence()}".lstrip(),
            **self.left.to_json(),
            "backbones": dict(self.backbones),
        }
