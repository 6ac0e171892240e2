"""Progress for people: a bar in a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track(items: Iterable[Item], label: str, total: int | None = None, initial: int = 0) -> Iterator[Item]:
    """Yield ``items`` behind a progress bar with remaining time, shown only when stderr is a terminal."""
    yield from tqdm(items, desc=label, total=total, initial=initial, disable=not sys.stderr.isatty(),
                    dynamic_ncols=True, leave=False)


def progress_bar(label: str, total: int, initial: int = 0) -> tqdm[Any]:
    """A bar to be advanced by hand (``update``, ``set_postfix``); a context manager."""
    return tqdm(desc=label, total=total, initial=initial, disable=not sys.stderr.isatty(), dynamic_ncols=True,
                leave=False)
