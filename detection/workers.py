"""Cells in worker processes: one thread each, and gone when their parent is."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from anomaly_gan.core.errors import AnomalyGanError, EnvironmentFailure
from anomaly_gan.core.progress import progress_bar

POLL_SECONDS = 0.2
SMALLER = "set compare.workers=1 or a smaller detect.image_size"


class Job(Protocol):
    """A cell as a worker sees it: it runs by itself, calls ``on_step`` ``steps`` times, and keeps its own result."""

    @property
    def steps(self) -> int: ...

    def run(self, on_step: Callable[[], None] = ...) -> None: ...


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, in a form that every process can read. ``exit_code`` None: a bug."""

    message: str
    exit_code: int | None


def run_here(jobs: Sequence[Job]) -> None:
    """One cell after the other in this process, for a device that is shared badly."""
    for job in jobs:
        job.run()


def run_in_processes(jobs: Sequence[Job], workers: int, label: str = "compare",
                     remedy: str = SMALLER) -> None:
    """Deal the cells out to ``workers`` spawned processes (at most one per cell) and wait for all.

    Each process computes on one thread: several threads in each of several processes on the same cores are many
    times slower, and the number of threads changes the last bits of a result.

    Raises:
        AnomalyGanError: a cell failed; the others are stopped, and finished cells stay.
        EnvironmentFailure: a process died without a word.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    steps = context.Value("L", 0)
    hands = [list(jobs[start::workers]) for start in range(min(workers, len(jobs)))]
    pipes = [context.Pipe(duplex=False) for _ in hands]
    processes = [context.Process(target=_work, args=(hand, steps, sender), daemon=True)
                 for hand, (_, sender) in zip(hands, pipes, strict=True)]
    try:
        for process in processes:
            process.start()
        for _, sender in pipes:
            sender.close()
        _watch(processes, [receiver for receiver, _ in pipes], steps, sum(job.steps for job in jobs),
               label, remedy)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            if process.pid is not None:
                process.join()


def _watch(processes: Sequence[Any], receivers: Sequence[Connection], steps: Any, total: int, label: str,
           remedy: str) -> None:
    running = list(zip(processes, receivers, strict=True))
    with progress_bar(label, total) as bar:
        while running:
            time.sleep(POLL_SECONDS)
            bar.update(steps.value - bar.n)
            for process, receiver in list(running):
                if process.is_alive():
                    continue
                process.join()
                running.remove((process, receiver))
                if process.exitcode:
                    _raise(receiver, process.exitcode, label, remedy)


def _raise(receiver: Connection, exit_code: int, label: str = "compare",
           remedy: str = SMALLER) -> None:
    """Raise in this process what stopped a worker."""
    try:
        failure: Failure = receiver.recv()
    except EOFError:
        raise EnvironmentFailure(f"{label}: a worker process ended with code {exit_code} without a message "
                                 f"(out of memory?); {remedy}") from None
    if failure.exit_code is None:
        raise RuntimeError(f"a worker process failed:\n{failure.message}")
    error = AnomalyGanError(failure.message)
    error.exit_code = failure.exit_code
    raise error


class _NotATerminal(io.TextIOWrapper):
    """stderr for a worker: messages pass, progress bars see no terminal and keep silent."""

    def isatty(self) -> bool:
        return False


def _work(jobs: list[Job], steps: Any, sender: Connection) -> None:
    """A worker's whole life."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops us
    sys.stderr = _NotATerminal(sys.stderr.buffer, line_buffering=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    def one_step() -> None:
        with steps.get_lock():
            steps.value += 1

    try:
        for job in jobs:
            job.run(one_step)
    except AnomalyGanError as error:
        sender.send(Failure(str(error), error.exit_code))
        sys.exit(1)
    except Exception:
        sender.send(Failure(traceback.format_exc(), None))
        sys.exit(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
