"""Progress for people, on stderr alone: one live line in a terminal, a plain line every 30 s elsewhere.

Work of any length says how far it is (:func:`track`, :func:`progress_bar`); the pipeline says to which stage that
belongs (:func:`stage`) and what is known of the whole run (:func:`watched`). What is drawn of it: ``live``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .live import LIVE, Bar, Moment, clock_words, in_words

__all__ = [
    "Bar",
    "Counted",
    "Moment",
    "clock_words",
    "counted",
    "counted_elsewhere",
    "in_words",
    "progress_bar",
    "say",
    "silence",
    "stage",
    "track",
    "watched",
]
Item = TypeVar("Item")
Counted = tuple[str, int | None, int, str]
"""How far work is, for another process: its label, its total, how many are done, its note."""


def track(items: Iterable[Item], label: str, total: int | None = None, initial: int = 0) -> Iterator[Item]:
    """Yield ``items`` and show how many of them are done; ``total`` where they do not know their number."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with progress_bar(label, total, initial) as bar:
        for item in items:
            yield item
            bar.update()


@contextlib.contextmanager
def progress_bar(label: str, total: int | None, initial: int = 0, unit: str = "") -> Iterator[Bar]:
    """Work to be counted by hand: ``update``, ``set_postfix``."""
    bar = Bar(label, total, initial, unit)
    LIVE.push(bar)
    try:
        yield bar
    finally:
        LIVE.pop(bar)


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """All work in the body belongs to this stage; its time is shown even while nothing is counted."""
    LIVE.enter(name, time.monotonic())
    try:
        yield
    finally:
        LIVE.leave()


@contextlib.contextmanager
def watched(
    words: Callable[[Moment], str],
    look: Callable[[Moment], None],
    at_most: Callable[[float], float] = lambda seconds: seconds,
) -> Iterator[None]:
    """While the body runs, the line ends with ``words``, and ``look`` sees every moment, some seconds apart.

    ``look`` is called from a thread of its own. ``at_most``: of the seconds that work seems to need, those it has.
    """
    before = LIVE.words, LIVE.look, LIVE.at_most
    LIVE.words, LIVE.look, LIVE.at_most = words, look, at_most
    try:
        yield
    finally:
        LIVE.words, LIVE.look, LIVE.at_most = before


def say(line: str) -> None:
    """One line of its own on stderr, above the live one."""
    LIVE.say(line)


def silence() -> None:
    """Show nothing from this process: another one speaks for it."""
    LIVE.quiet = True


def counted() -> Counted | None:
    """How far this process's outermost work is; None where nothing is counted."""
    bar = next(iter(LIVE.moment().bars), None)
    return None if bar is None else (bar.label, bar.total, bar.n, bar.note)


@contextlib.contextmanager
def counted_elsewhere() -> Iterator[Callable[[Counted | None], None]]:
    """Shows work that another process counts: the body calls what it is given with what ``counted`` said there."""
    with contextlib.ExitStack() as last:
        shown: Bar | None = None

        def show(said: Counted | None) -> None:
            nonlocal shown
            if said is None:
                return
            label, total, done, note = said
            if shown is None or (shown.label, shown.total) != (label, total):
                last.close()
                shown = last.enter_context(progress_bar(label, total))
            shown.note = note
            shown.update(done - shown.n)

        yield show
