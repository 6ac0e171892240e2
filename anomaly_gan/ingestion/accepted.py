"""A photograph that ingest has taken in."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.dataset import Annotation
from .groups import GroupRow


@dataclass(frozen=True)
class Accepted:
    """One photograph as stored. ``instances``: (category name, annotation still without ids)."""

    source: str
    file: str
    size_hw: tuple[int, int]
    gray: bool
    group: GroupRow
    sha256: str
    fingerprint: str
    instances: list[tuple[str, Annotation]]
    extra: dict[str, object]
    by_folder: bool = False
