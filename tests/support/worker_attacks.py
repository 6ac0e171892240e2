"""What worker processes are put through, one attack after the other in one process; ``test_workers`` runs it.
The last attack kills this very process while two of them run.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.engine.workers import run_in_processes

MARKS = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


@dataclass(frozen=True)
class Nap:
    """Writes its process and its environment down, waits, and may kill its own process."""

    marks: Path
    seconds: float = 0.0
    deadly: bool = False
    steps: int = 1

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        with self.marks.open("a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()} {os.environ.get('ATTACK')}\n")
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        on_step()


def marked(count: int) -> list[list[str]]:
    """What ``count`` jobs wrote down, once they have."""
    for _ in range(600):
        lines = MARKS.read_text(encoding="utf-8").splitlines() if MARKS.is_file() else []
        if len(lines) >= count:
            MARKS.unlink()
            return [line.split() for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"{len(lines)} of {count} jobs began")


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within that time."""
    until = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def first_process() -> int | None:
    """The one that workers are forked from."""
    return forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]


def kill_first_process() -> None:
    pid = first_process()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):  # the pool has noticed already
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # its pipes close before it has ended


def interrupted_while_the_first_process_imports() -> None:
    def press() -> None:
        while first_process() is None:
            time.sleep(0.02)
        while signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as long as it is being started
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    try:
        run_in_processes([Nap(MARKS)], 1)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("Ctrl-C was not heard")


def many_pools() -> None:
    """Each with the environment of its time; nothing is left of them, nor of the one that was interrupted."""
    for name in ("one", "two"):
        os.environ["ATTACK"] = name
        run_in_processes([Nap(MARKS)], 1)
        assert [line[1] for line in marked(1)] == [name]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run_in_processes([Nap(MARKS)] * 2, 2)
    thread = threading.Thread(target=run_in_processes, args=([Nap(MARKS)], 1))
    thread.start()
    thread.join()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert all(gone(int(pid)) for pid, _ in marked(7))


def refused(jobs: list[Nap], words: str) -> None:
    try:
        run_in_processes(jobs, 2)
    except EnvironmentFailure as error:
        assert words in str(error) and "\n" not in str(error), error
    else:
        raise AssertionError(f"no word of: {words}")
    assert all(gone(int(pid)) for pid, _ in marked(2)), "a worker works on"


def first_process_killed_under_way() -> None:
    while not MARKS.is_file() or MARKS.read_text(encoding="utf-8").count("\n") < 2:
        time.sleep(0.02)
    time.sleep(0.5)  # until the parent, too, knows that they have begun
    kill_first_process()


def out_of_memory() -> None:
    """The system kills a worker; or the process that they were forked from, which nobody asked to work."""
    refused([Nap(MARKS, 30), Nap(MARKS, deadly=True)], "ended with code -9")
    killer = threading.Thread(target=first_process_killed_under_way)
    killer.start()
    refused([Nap(MARKS, 30)] * 2, "ended with code 255")
    killer.join()


def the_next_first_process_dies_while_it_imports() -> None:
    def strike() -> None:
        before = first_process()
        while first_process() in (None, before):
            time.sleep(0.02)
        time.sleep(0.2)
        kill_first_process()

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        run_in_processes([Nap(MARKS)], 1)
    except EnvironmentFailure as error:
        assert "no worker process can be started" in str(error), error
    else:
        raise AssertionError("no word of it")
    striker.join()


def killed_while_they_work() -> None:
    sys.stdout.write(" ".join(pid for pid, _ in marked(2)))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what begins in the background has none
    interrupted_while_the_first_process_imports()
    many_pools()
    out_of_memory()
    the_next_first_process_dies_while_it_imports()
    threading.Thread(target=killed_while_they_work).start()
    run_in_processes([Nap(MARKS, 60)] * 2, 2)
