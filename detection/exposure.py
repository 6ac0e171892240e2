"""How often a training was shown each photograph: one value, read and written here alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CategoryShown:
    """Photographs that show a category, and how often such were drawn."""

    images: int
    shown: int


@dataclass(frozen=True)
class Shown:
    """How often training drew the photographs of one kind: in all, and each in the mean, at most, never.

    ``shown`` is None in cells of an older version; ``categories``: None where they were not counted.
    """

    images: int
    mean: float
    max: int
    never: int
    shown: int | None = None
    categories: Mapping[str, CategoryShown] | None = None

    @classmethod
    def of(cls, drawn: list[int], categories: Mapping[str, CategoryShown] | None = None) -> Shown:
        """From how often each photograph was drawn."""
        mean = sum(drawn) / len(drawn) if drawn else 0.0
        never = sum(count == 0 for count in drawn)
        return cls(len(drawn), mean, max(drawn, default=0), never, sum(drawn), categories)

    def to_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Shown:
        categories = content.get("categories")
        parts = None if categories is None else {name: CategoryShown(**of) for name, of in categories.items()}
        return cls(**{**content, "categories": parts})


Exposure = Mapping[str, Shown]
"""By kind, for example ``real_defect``."""
