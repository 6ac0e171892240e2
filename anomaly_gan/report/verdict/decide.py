"""Per category: use, do not use, or cannot tell, and how many parts more would tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .facts import CategoryFacts, Facts, Interval
from .rules.data import LEAST_TEST_OBJECTS
from .rules.detector import BLIND_AP

Call = Literal["use", "do not use", "cannot tell"]
WORTH_KNOWING = 0.05
"""A difference of AP@0.5 smaller than this is not asked for: parts are counted for one of this size."""


@dataclass(frozen=True)
class Decision:
    """``need_parts``: further parts with this defect that would tell, where their number can be said. ``difference``:
    of AP@0.5 to real photographs alone, ``low`` and ``high`` its 95 % interval over other parts."""

    category: str
    call: Call
    why: str
    need_parts: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def sentence(self) -> str:
        """The whole of it; ``why`` leaves the difference to its own fields, so that a table says it once."""
        said = _said(self.difference, self.low, self.high)
        return f"{self.category}: {self.call}{', ' if self.call == 'cannot tell' else ': '}{self.why}{said}."

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Decision:
        return cls(**content)


def decide(category: CategoryFacts, facts: Facts) -> Decision:
    """The gate comes first: what fails it is not used whatever else is known. Then the comparison on held-out parts:
    the interval over other parts and that over seeds must both lie on one side."""
    name, gate = category.name, category.gate
    size = _size(category.over_objects, category.over_seeds)
    if gate is not None and gate.level == "fail":
        failing = ", ".join(metric for metric, item in gate.metrics.items() if item.level == "fail")
        return Decision(name, "do not use", f"it fails the gate ({failing})", None, *size)
    if gate is not None and "time" in gate.metrics:
        return Decision(name, "cannot tell", gate.metrics["time"].sentence, None, *size)
    if gate is not None and gate.level == "too_few":
        short = [item for item in gate.metrics.values() if item.level == "too_few" and item.of == "objects"]
        missing = max([(item.need or 0) - (item.have or 0) for item in short], default=0)
        if missing:
            why = f"you need {_parts(missing)} more for a verdict"
            return Decision(name, "cannot tell", why, missing, *size)
        return Decision(name, "cannot tell", "too few generated photographs for a verdict", None, *size)
    if not facts.compared or category.over_seeds is None:
        why = "time was over before a detector was trained with it" if facts.not_reached else "no detector was compared"
        return Decision(name, "cannot tell", why, None, *size)
    return _by_comparison(category, size)


def _by_comparison(category: CategoryFacts, size: tuple[float | None, float | None, float | None]) -> Decision:
    name = category.name
    if category.ap_real is not None and category.ap is not None and max(category.ap_real, category.ap) < BLIND_AP:
        return Decision(name, "cannot tell", "the detector hardly finds it with or without", None, *size)
    if category.test_objects < LEAST_TEST_OBJECTS:
        missing = LEAST_TEST_OBJECTS - category.test_objects
        return Decision(name, "cannot tell", f"you need {_parts(missing)} more to test on", missing, *size)
    seeds, parts = category.over_seeds, category.over_objects
    assert seeds is not None
    if seeds.low is None:
        return Decision(name, "cannot tell", "one seed only", None, *size)
    if seeds.above and (parts is None or parts.above):
        return Decision(name, "use", "the detector gets better", None, *size)
    if seeds.below and (parts is None or parts.below):
        return Decision(name, "do not use", "the detector gets worse", None, *size)
    if parts is None or parts.above or parts.below:
        return Decision(name, "cannot tell", "more seeds are needed", None, *size)
    missing = needed(parts, category.test_objects)
    if not missing:
        return Decision(name, "cannot tell", f"no difference of {WORTH_KNOWING:g} or more", None, *size)
    return Decision(name, "cannot tell", f"you need about {_parts(missing)} more to test on", missing, *size)


def needed(interval: Interval, parts: int) -> int:
    """Parts more to test on until an interval as narrow as the root of their number makes it would leave out 0, were
    the difference as seen, or ``WORTH_KNOWING`` where it is smaller."""
    if interval.low is None or interval.high is None:
        return 0
    half, effect = (interval.high - interval.low) / 2, max(abs(interval.mean), WORTH_KNOWING)
    return max(0, math.ceil(parts * (half / effect) ** 2) - parts)


def _size(*intervals: Interval | None) -> tuple[float | None, float | None, float | None]:
    for one in intervals:
        if one is not None:
            return one.mean, one.low, one.high
    return None, None, None


def _said(mean: float | None, low: float | None, high: float | None) -> str:
    """``; AP@0.5 +0.080, 95 % interval +0.020 to +0.200``; nothing where nothing was measured."""
    if mean is None:
        return ""
    return f"; AP@0.5 {mean:+.3f}" + (
        "" if low is None or high is None else f", 95 % interval {low:+.3f} to {high:+.3f}"
    )


def _parts(number: int) -> str:
    return f"{number} part{'' if number == 1 else 's'}"
