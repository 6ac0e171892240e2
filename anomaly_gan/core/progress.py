"""Progress for people: a bar in a terminal, silence elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track(items: Iterable[Item], label: str, total: int | None = None, initial: int = 0) -> Iterator[Item]:
    """Yield ``items`` behind a progress bar with remaining time, shown only when stderr is a terminal."""
    yield from tqdm(items, desc=label, total=total, initial=initial, disable=_quiet(), dynamic_ncols=True, leave=False)


def progress_bar(label: str, total: int, initial: int = 0) -> tqdm[Any]:
    """A bar to be advanced by hand (``update``, ``set_postfix``); a context manager."""
    return tqdm(desc=label, total=total, initial=initial, disable=_quiet(), dynamic_ncols=True, leave=False)


def _quiet() -> bool:
    """No terminal, or a process that shares another one's training: the launcher numbers them, the first one shows."""
    return not sys.stderr.isatty() or os.environ.get("LOCAL_RANK", "0") != "0"


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
