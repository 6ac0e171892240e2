"""The line that says what is going on. One thread draws it, so that its clock goes on where the work does not count."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import AnomalyGanError

DRAW_SECONDS = 0.5
PLAIN_SECONDS = 30.0
"""Between two plain lines where stderr is no terminal."""
LOOK_SECONDS = 3.0


@dataclass
class Bar:
    """Work that is counted: ``n`` of ``total`` (None where nobody knows), of which ``initial`` were done before."""

    label: str
    total: int | None
    initial: int = 0
    unit: str = ""
    note: str = ""
    left: float | None = None
    """Seconds left, where whoever counts knows better than the pace so far."""
    ends_in: Callable[[], float] | None = None
    """Seconds until time ends this work, done or not."""
    began: float = field(default_factory=time.monotonic)
    n: int = field(init=False)

    def __post_init__(self) -> None:
        self.n = self.initial

    def update(self, by: int = 1) -> None:
        self.n += by

    def set_postfix(self, values: Mapping[str, str]) -> None:
        """Figures of the moment, such as losses."""
        self.note = " ".join(f"{name} {value}" for name, value in values.items())

    def seconds_left(self, now: float) -> float | None:
        """By the pace so far, not beyond the time there is; None before anything is done where time is free."""
        made, most = self.n - self.initial, self.ends_in() if self.ends_in else None
        left = self.left
        if left is None and self.total is not None and made > 0:
            left = (now - self.began) / made * max(0, self.total - self.n)
        known = [value for value in (left, most) if value is not None]
        return max(0.0, min(known)) if known else None

    def words(self) -> str:
        count = f"{self.n} of {self.total}" if self.total else str(self.n)
        return " ".join(part for part in (self.label, count, self.unit) if part)


@dataclass(frozen=True)
class Moment:
    """What is known at one moment: the stage with its seconds so far, and the bars that are open, outermost first."""

    stage: str
    seconds: float
    bars: tuple[Bar, ...]
    now: float

    @property
    def left(self) -> float | None:
        """Seconds left of the outermost work that is counted."""
        return next((left for bar in self.bars if (left := bar.seconds_left(self.now)) is not None), None)

    def count(self, brief: bool = False) -> str:
        """``120 of 600 steps, generators 1.23``: the outermost work, and the innermost where that is another.

        ``brief``: the innermost alone, without its figures.
        """
        parts = []
        for bar in self.bars[-1:] if brief else self.bars[:1] + self.bars[1:][-1:]:
            words = bar.words()
            if bar.label.replace(" ", "@") == self.stage:
                words = words[len(bar.label) :].strip()
            parts.append(", ".join(part for part in (words, "" if brief else bar.note) if part))
        return "; ".join(parts)


class Live:
    """The one line of this process."""

    def __init__(self) -> None:
        self.quiet = False
        self.words: Callable[[Moment], str] | None = None
        self.look: Callable[[Moment], None] | None = None
        self.at_most: Callable[[float], float] = lambda seconds: seconds
        self._bars: list[Bar] = []
        self._stage, self._began = "", 0.0
        self._lock = threading.RLock()
        self._stop: threading.Event | None = None
        self._line: Any = None
        self._spoke = self._looked = 0.0

    def push(self, bar: Bar) -> None:
        with self._lock:
            self._bars.append(bar)
            self._start()

    def pop(self, bar: Bar) -> None:
        with self._lock:
            self._bars = [other for other in self._bars if other is not bar]
            self._end_where_idle()

    def enter(self, stage: str, began: float) -> None:
        with self._lock:
            self._stage, self._began = stage, began
            self._start()

    def leave(self) -> None:
        with self._lock:
            self._stage = ""
            self._end_where_idle()

    def say(self, line: str) -> None:
        if self.quiet:
            return
        with self._lock:
            self._clear()
            print(line, file=sys.stderr, flush=True)  # noqa: T201
            self._spoke = time.monotonic()

    def moment(self) -> Moment:
        now = time.monotonic()
        began = self._began if self._stage else self._bars[0].began if self._bars else now
        return Moment(self._stage, now - began, tuple(self._bars), now)

    def _start(self) -> None:
        if self._stop is not None or self.quiet or os.environ.get("LOCAL_RANK", "0") != "0":
            return
        self._spoke = self._looked = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._run, args=(self._stop,), daemon=True, name="progress").start()

    def _end_where_idle(self) -> None:
        if not self._bars and not self._stage and self._stop is not None:
            self._stop.set()
            self._stop = None
            self._clear()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(DRAW_SECONDS):
            with self._lock:
                if stop.is_set():
                    return
                moment, look = self.moment(), self.look
                self._draw(moment)
            if look and moment.now - self._looked >= LOOK_SECONDS:
                self._looked = moment.now
                with contextlib.suppress(OSError, AnomalyGanError):  # the work itself will say that the disk is full
                    look(moment)

    def _draw(self, moment: Moment) -> None:
        if not sys.stderr.isatty():
            if moment.now - self._spoke >= PLAIN_SECONDS:
                self.say("  " + ": ".join(part for part in (moment.stage, self._text(moment)) if part))
            return
        from tqdm import tqdm

        bar = moment.bars[0] if moment.bars else None
        form = self._form(moment, _columns())
        if self._line is None:
            tqdm.monitor_interval = 0  # this thread is enough
            self._line = tqdm(total=1, bar_format=form, leave=False, dynamic_ncols=True, file=sys.stderr)
        self._line.total = bar.total if bar and bar.total else 1
        self._line.n = bar.n if bar else 0
        self._line.bar_format = form
        self._line.refresh()

    def _form(self, moment: Moment, columns: int) -> str:
        """tqdm's format of the fullest line that fits; where the terminal is narrow the bar goes before the words."""
        drawn = "{bar:12}" if moment.bars and moment.bars[0].total else ""
        whole = self.words(moment) if self.words else ""
        lines = [
            (drawn, self._text(moment)),
            (drawn, self._text(moment, brief=True)),
            ("", self._text(moment, brief=True)),
            ("", " · ".join(part for part in (moment.count(brief=True), whole) if part)),
            ("", whole or clock_words(moment.seconds)),
        ]
        fitting = [line for line in lines if len(moment.stage) + len(line[1]) + (14 if line[0] else 1) < columns]
        kept, text = (fitting or lines[-1:])[0]
        return " ".join(part for part in (moment.stage, kept, text.replace("{", "{{").replace("}", "}}")) if part)

    def _text(self, moment: Moment, brief: bool = False) -> str:
        seconds = self.at_most(moment.left) if moment.left else 0.0
        left = f", about {in_words(seconds)} left" if seconds else ""
        whole = self.words(moment) if self.words else ""
        return " · ".join(part for part in (moment.count(brief), clock_words(moment.seconds) + left, whole) if part)

    def _clear(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


LIVE = Live()


def clock_words(seconds: float) -> str:
    """``0:07``, ``12:05``, ``3:12:05``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


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
