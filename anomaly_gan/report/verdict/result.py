"""The verdict on a run, typed; ``verdict.json`` of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...synthesis.choice.result import Choice
from .advice import Advice
from .decide import Decision

SCHEMA = 1


@dataclass(frozen=True)
class ArmVerdict:
    """One way of making photographs: a decision per category, what failed its gate, and what can be done; ``choices``:
    of an arm that decides by category which method paints, what it took and by which figures."""

    arm: str
    decisions: tuple[Decision, ...]
    failed: tuple[str, ...]
    dropped: tuple[str, ...]
    nothing_passed: bool
    advice: tuple[Advice, ...]
    choices: tuple[Choice, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "arm": self.arm,
            "categories": [item.to_json() for item in self.decisions],
            "failed": list(self.failed),
            "dropped": list(self.dropped),
            "nothing_passed": self.nothing_passed,
            "advice": [item.to_json() | {"sentence": item.sentence} for item in self.advice],
            **({"choices": [item.to_json() for item in self.choices]} if self.choices else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ArmVerdict:
        return cls(
            content["arm"],
            tuple(map(Decision.from_json, content["categories"])),
            tuple(content["failed"]),
            tuple(content["dropped"]),
            content["nothing_passed"],
            tuple(map(Advice.from_json, content["advice"])),
            tuple(map(Choice.from_json, content.get("choices", ()))),
        )


@dataclass(frozen=True)
class Verdict:
    """``paragraph`` in plain words is about the first arm; ``passed`` is false where any arm has a category that
    failed, which is the run's exit code 1."""

    paragraph: str
    arms: tuple[ArmVerdict, ...]

    @property
    def passed(self) -> bool:
        return not any(arm.failed or arm.nothing_passed for arm in self.arms)

    def to_json(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "paragraph": self.paragraph,
            "arms": [item.to_json() for item in self.arms],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Verdict:
        return cls(content["paragraph"], tuple(map(ArmVerdict.from_json, content["arms"])))
