"""How far the cells are, and how long they will still take."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from ..core.progress import in_words, progress_bar


@dataclass(frozen=True)
class Plan:
    """The cells of one sitting: ``kinds`` (cells of one kind take equally long) and ``steps`` of each, and what
    earlier sittings left: finished cells, their steps, and the mean seconds of a cell of each kind.
    """

    kinds: Sequence[str]
    steps: Sequence[int]
    workers: int = 1
    earlier_cells: int = 0
    earlier_steps: int = 0
    earlier_seconds: Mapping[str, float] = field(default_factory=dict)


def seconds_left(plan: Plan, done: Sequence[int], seconds: Sequence[float], elapsed: float) -> float | None:
    """Until the last cell is finished; None while nothing is known.

    ``done`` counts steps of each cell, ``seconds`` what a whole cell took, 0 for one that needed no work, negative for
    one that is not finished. A kind without a finished cell is taken as the mean of the others; without any finished
    cell the pace of this sitting counts. It is never less than the longest cell needs: one cell is not shared.
    """
    measured: dict[str, list[float]] = defaultdict(list)
    for kind, value in zip(plan.kinds, seconds, strict=True):
        if value > 0:
            measured[kind].append(value)
    cost = dict(plan.earlier_seconds) | {kind: sum(values) / len(values) for kind, values in measured.items()}
    open_cells = [
        (kind, steps, steps - made)
        for kind, steps, made, value in zip(plan.kinds, plan.steps, done, seconds, strict=True)
        if value < 0
    ]
    if not open_cells:
        return 0.0
    if cost:
        other = sum(cost.values()) / len(cost)
        each = [cost.get(kind, other) * left / steps for kind, steps, left in open_cells]
    elif sum(done) and elapsed > 0:
        pace = elapsed * plan.workers / sum(done)
        each = [pace * left for _, _, left in open_cells]
    else:
        return None
    return max(sum(each) / plan.workers, *each)


class Board:
    """One count over the steps of all cells, with the time left.

    ``say`` gets one line whenever cells have finished, for logs.
    """

    def __init__(
        self,
        label: str,
        plan: Plan,
        say: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._say, self._clock = plan, say, clock
        self._began, self._finished, self._label = clock(), 0, label
        self._open = progress_bar(label, plan.earlier_steps + sum(plan.steps), plan.earlier_steps, "steps")

    def __enter__(self) -> Board:
        self._bar = self._open.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def show(self, done: Sequence[int], seconds: Sequence[float]) -> None:
        """Steps of each cell so far, and what the finished ones took (see :func:`seconds_left`)."""
        finished = sum(value >= 0 for value in seconds)
        left = seconds_left(self._plan, done, seconds, self._clock() - self._began)
        words = f"{self._plan.earlier_cells + finished}/{self._plan.earlier_cells + len(seconds)} cells"
        self._bar.note, self._bar.left = words if any(done) or finished else f"{words}, starting", left
        if left:
            words += f", about {in_words(left)} left"
        self._bar.update(self._plan.earlier_steps + sum(done) - self._bar.n)
        if finished > self._finished:
            self._finished = finished
            self._say(f"{self._label}: {words}")
