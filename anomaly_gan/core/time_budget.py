"""A time budget: how much of the time for some work is gone. The clock is an argument."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")
Clock = Callable[[], float]
"""Seconds since any fixed moment."""


class TimeUp(Exception):
    """Work that is of no use by halves stops here, for its time is over; the message may say what it lacked."""


@dataclass
class TimeBudget:
    """``seconds`` of work, counted from here on; ``before`` was spent by earlier processes of the same work.

    Time between two processes does not count, nor does what a killed one did after its last checkpoint.
    """

    seconds: float
    clock: Clock = time.monotonic
    before: float = 0.0
    started: float = field(default=float("nan"))

    def __post_init__(self) -> None:
        if self.started != self.started:
            self.started = self.clock()

    def spent(self) -> float:
        """Seconds of work so far, over all processes."""
        return self.before + self.clock() - self.started

    def share(self) -> float:
        """Spent over given; 1 and more: the time is up."""
        return self.spent() / self.seconds

    def over(self) -> bool:
        """Whether the time is up."""
        return self.share() >= 1

    def __reduce__(self) -> tuple[type[TimeBudget], tuple[float, Clock, float]]:
        """In another process, on another machine even, what is gone counts on by the clock there."""
        return TimeBudget, (self.seconds, self.clock, self.spent())

    def part(self, share: float) -> TimeBudget:
        """The same watch with a share of the time: for what comes before the training proper."""
        return TimeBudget(share * self.seconds, self.clock, self.before, self.started)


def while_time(items: Iterable[Item], watch: TimeBudget | None) -> Iterator[Item]:
    """The items of work that is of no use by halves.

    Raises:
        TimeUp: the time is over before the last one.
    """
    for item in items:
        if watch is not None and watch.over():
            raise TimeUp
        yield item
