"""Lengths of time as people write them: ``90s``, ``25m``, ``1h30m``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

UNITS = {"h": 3600, "m": 60, "s": 1}
PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)


def seconds_of(text: object) -> float:
    """``1h30m`` as 5400.0.

    Raises:
        ValueError: no length of time above zero; a bare number is none, for nobody knows its unit.
    """
    parts = PATTERN.fullmatch(text.replace(" ", "")) if isinstance(text, str) else None
    seconds = (
        sum(float(part or 0) * unit for part, unit in zip(parts.groups(), UNITS.values(), strict=True))
        if parts
        else 0.0
    )
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is no length of time: write hours, minutes or seconds, such as 1h30m, 25m or 90s")
    return seconds


def canonical(text: object) -> str:
    """The one spelling of a length of time, to the second: ``90m`` and ``1h30m`` are both ``1h30m``.

    Raises:
        ValueError: as ``seconds_of``.
    """
    left = max(1, round(seconds_of(text)))
    parts = []
    for name, unit in UNITS.items():
        count, left = divmod(left, unit)
        parts.append(f"{count}{name}" if count else "")
    return "".join(parts)


TimeLimit = Annotated[str | None, BeforeValidator(lambda value: None if value is None else canonical(value))]
"""A field of a configuration: None, or a length of time in its one spelling."""
