"""A sentence that a reader can act on, and the row of the table of rules that gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .facts import Facts


@dataclass(frozen=True)
class Advice:
    """``cause`` in the user's terms; ``remedy`` with the keys to set, empty where nothing can be set; ``category`` is
    empty where it is about the whole run."""

    rule: str
    category: str
    cause: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        about = f"{self.category}: " if self.category else ""
        return f"{about}{self.cause}{f': {self.remedy}' if self.remedy else ''}."

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Advice:
        return cls(content["rule"], content["category"], content["cause"], content["remedy"])


@dataclass(frozen=True)
class Rule:
    """A row: the name under which ``docs/reading-the-report.md`` explains it, and what it says of an arm."""

    name: str
    function: Callable[[Facts], Sequence[Advice]]
    metrics: tuple[str, ...] = ()
    """The gate's metrics that it speaks for."""
