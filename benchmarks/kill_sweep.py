"""kill -9 before every I/O event of every verb, and the same bytes after the same command again.

    make kill-sweep                                                   # every event of every verb
    .venv/bin/python benchmarks/kill_sweep.py --every 10 ingest pool   # every 10th of two, and the first and last ones

Every verb works on so little (``tests/support/small_verbs.py``) that an event costs a fraction of a second of processor
time. The verb is done once in a fork of a process that has imported everything, and its folder is kept as it is before
each call that changes a file system (``tests/support/kills.py``): as a kill there would leave it. From each of these
states the verb is done again, and all folders must hold the bytes of the undisturbed work and no leftovers. ``--fault
full``: the disk is full from that event on, which must end with exit code 4; ``interrupt``: Ctrl-C is pressed there.
``--log FILE`` keeps what was tried, so that the sweep goes on where it was stopped, as ``--minutes`` stops it. Exit
code 1 where an event failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from kills import ENDS, Undisturbed, gone_on_with, in_fork, in_memory, kept_states, strike, undisturbed
from small_verbs import Verb, copied, small_verbs, warm, write_source


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass
class Sweep:
    """``known``: verb -> event -> what went wrong there, or ""; of the events that were tried before."""

    asked: argparse.Namespace
    memory: Path
    known: dict[str, dict[int, str]] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=itertools.count)
    began: float = field(default_factory=time.monotonic)

    def verb(self, verb: Verb) -> int:
        """Sweep one verb and lay its work into the base, for the verbs after it; how many events failed."""
        base, log = self.memory / "base", self.memory / "said"
        wanted = (
            not self.asked.verbs or verb.name in self.asked.verbs or verb.name.partition("@")[0] in self.asked.verbs
        )
        failed = self._events(verb, log) if wanted else 0
        if verb.keeps:
            code, _ = in_fork(lambda: verb.work(base), base, log=log)
            if code:
                raise SystemExit(f"{verb.name}: exit code {code}\n{log.read_text(errors='replace')[-2000:]}")
        return failed

    def _events(self, verb: Verb, log: Path) -> int:
        before, clock = _processor_seconds(), time.monotonic()
        whole = undisturbed(verb.work, self._fresh, log)
        if not isinstance(whole, Undisturbed):
            say(f"{verb.name}: {whole}\n{log.read_text(errors='replace')[-2000:]}")
            return 1
        done = self.known.setdefault(verb.name, {})
        todo = [at for at in range(1, whole.events + 1) if self._takes(at, whole.events) and at not in done]
        folder, shelf = self._fresh(), self.memory / "states"
        if self.asked.fault == "kill":
            kept_states(verb.work, folder, shelf, todo, log)
        for at in todo:
            if self._over():
                break
            if self.asked.fault == "kill":
                shutil.rmtree(folder)
                (shelf / str(at)).rename(folder)
                words = gone_on_with(verb.work, folder, whole, at, log)
            else:
                words = strike(verb.work, self._fresh, whole, at, self.asked.fault, log)
            self._keep(verb.name, at, whole.events, words or "")
            if words:
                say(f"  {verb.name}: {words}\n{log.read_text(errors='replace')[-self.asked.tail :]}")
        shutil.rmtree(shelf, ignore_errors=True)
        failed = sum(bool(words) for words in done.values())
        seconds = _processor_seconds() - before
        say(
            f"{verb.name}: {len(done)} of {whole.events} events, {failed} failed "
            f"({seconds:.0f} s of processor time, {time.monotonic() - clock:.0f} s)"
        )
        return failed

    def _takes(self, at: int, events: int) -> bool:
        every = self.asked.every
        return every == 1 or at <= 12 or at > events - 6 or at % every == 0

    def _over(self) -> bool:
        return self.asked.minutes is not None and time.monotonic() - self.began > self.asked.minutes * 60

    def _fresh(self) -> Path:
        for old in self.memory.glob("try-*"):
            shutil.rmtree(old)
        return copied(self.memory / "base", self.memory / f"try-{next(self.number)}")

    def _keep(self, name: str, at: int, events: int, words: str) -> None:
        self.known[name][at] = words
        if self.asked.log is not None:
            row = {"verb": name, "fault": self.asked.fault, "event": at, "of": events, "failed": words}
            with self.asked.log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verbs", nargs="*", help="verbs to sweep, as they are listed; default all")
    parser.add_argument("--every", type=int, default=1, help="try every N-th event (and the first 12 and last 6)")
    parser.add_argument("--fault", choices=sorted(ENDS), default="kill")
    parser.add_argument("--log", type=Path, help="keep what was tried, one line an event, and leave it out next time")
    parser.add_argument("--minutes", type=float, help="stop after N minutes by the clock")
    parser.add_argument("--tail", type=int, default=1500, help="characters of a failed command's words to show")
    asked = parser.parse_args()
    with in_memory() as memory:
        (memory / "base").mkdir()
        source = write_source(memory / "in" / "source")
        warm(source)
        sweep = Sweep(asked, memory)
        if asked.log is not None and asked.log.is_file():
            for row in map(json.loads, asked.log.read_text(encoding="utf-8").splitlines()):
                if row["fault"] == asked.fault:
                    sweep.known.setdefault(row["verb"], {})[row["event"]] = row["failed"]
        failed = sum([sweep.verb(verb) for verb in small_verbs(source)])
    tried = sum(len(events) for events in sweep.known.values())
    say(f"{tried} events in all, {failed} failed, {_processor_seconds():.0f} s of processor time")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
