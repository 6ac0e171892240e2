"""What the gate says, typed: of a metric, of a category, of a method. Each goes to JSON and comes back equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NotRequired, TypedDict, get_args

Level = Literal["pass", "warn", "too_few", "fail"]
Measures = dict[str, Any]
"""By name of a measure a number or a text, or a list of one for each instance."""
ORDER: tuple[Level, ...] = get_args(Level)
"""From the best to the worst: what cannot be told is worse than a remark and better than what is known to be bad."""


class Decision(TypedDict):
    """A line of ``decisions.jsonl``: an attempt at a mask of the pool. ``spare``: a mask beyond those that were asked
    for; ``findings``: fault codes with their reasons; ``measures``: by name what the checks measured; ``file``: of a
    rejected one that was kept."""

    pool_item: str
    attempt: int
    spare: bool
    accepted: bool
    findings: list[dict[str, str]]
    measures: Measures
    file: NotRequired[str | None]


@dataclass(frozen=True)
class Counts:
    """Photographs of one category: wanted, tried, and what became of them; ``reasons``: fault code → rejected."""

    wanted: int
    accepted: int
    rejected: int
    tried: int
    accepted_at_once: int
    accepted_from_spares: int
    shortfall: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"reasons": dict(self.reasons)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Counts:
        return cls(**{item.name: content[item.name] for item in fields(cls)})


@dataclass(frozen=True)
class MetricResult:
    """What one metric says of one category.

    ``sentence`` is a clause in plain words, empty where nothing is to be said. ``value`` stands beside ``reference``
    (the same of real defects) and ``limit``. ``have`` of ``need`` ``of`` (objects, photographs) where there are too
    few. ``detail`` holds further plain JSON values, which advice is made of.
    """

    name: str
    level: Level
    sentence: str = ""
    value: float | None = None
    reference: float | None = None
    limit: float | None = None
    have: int | None = None
    need: int | None = None
    of: str = "objects"
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"detail": dict(self.detail)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> MetricResult:
        return cls(**{item.name: content[item.name] for item in fields(cls)})


@dataclass(frozen=True)
class CategoryResult:
    """The verdict on one category: counts, every metric, and the figures they were read from (``figures``: plain JSON,
    kept under their own names)."""

    name: str
    level: Level
    sentence: str
    objects: int
    counts: Counts
    metrics: Mapping[str, MetricResult] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {
            **self.counts.to_json(),
            **self.figures,
            "objects": self.objects,
            "metrics": {name: item.to_json() for name, item in self.metrics.items()},
            "verdict": self.level,
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, name: str, content: Mapping[str, Any]) -> CategoryResult:
        own = {item.name for item in fields(Counts)} | {"objects", "metrics", "verdict", "sentence"}
        return cls(
            name,
            content["verdict"],
            content["sentence"],
            content.get("objects", 0),
            Counts.from_json(content),
            {key: MetricResult.from_json(item) for key, item in content.get("metrics", {}).items()},
            {key: value for key, value in content.items() if key not in own},
        )


@dataclass(frozen=True)
class GateResult:
    """``metrics.json`` of a gate: every category of one method. ``dropped`` are those that are not exported."""

    method: str
    names: Mapping[str, str]
    categories: Mapping[str, CategoryResult]
    dropped: Sequence[str] = ()

    @property
    def level(self) -> Level:
        return worst([item.level for item in self.categories.values()])

    def to_json(self) -> dict[str, object]:
        totals = ("wanted", "accepted", "rejected", "tried", "shortfall")
        return {
            "method": self.method,
            "verdict": self.level,
            "dropped": list(self.dropped),
            "figures": dict(self.names),
            "counts": {name: sum(getattr(item.counts, name) for item in self.categories.values()) for name in totals},
            "categories": {name: item.to_json() for name, item in self.categories.items()},
            # E9: the same photographs taught the method
            "reference": "real defects of the training split",
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> GateResult:
        return cls(
            content["method"],
            dict(content["figures"]),
            {name: CategoryResult.from_json(name, item) for name, item in content["categories"].items()},
            tuple(content.get("dropped", ())),
        )


def worst(levels: Sequence[Level]) -> Level:
    """The worst of them; ``fail`` where there are none."""
    return max(levels, key=ORDER.index) if levels else "fail"
