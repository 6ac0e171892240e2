"""Jobs in worker processes: one thread each, and gone when their parent is; or wherever the engine puts them.

Processes of ``multiprocessing``, and no pool of the standard library: ``concurrent.futures`` stops a worker in the
middle of a job only from Python 3.14 on (a training of hours, when time is up or Ctrl-C is pressed), leaves workers
behind where the parent is killed, and tells of no step of a job before its end. Ray does all of that, and is an extra
of 200 MB that starts services: on one machine it is not asked for.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ..core.errors import EnvironmentFailure
from ..core.time_budget import TimeUp
from .cluster import active, run_on_cluster
from .jobs import Failure, Job, Sitting, alone, guarded, raise_failure, timed

POLL_SECONDS = 0.2


def run_all(jobs: Sequence[Job], workers: int, sitting: Sitting = Sitting()) -> None:
    """All jobs on the engine that was chosen: a cluster's tasks, ``workers`` processes, or 0: in this process."""
    cluster = active()
    if cluster is not None:
        run_on_cluster(jobs, cluster, sitting)
    elif workers:
        run_in_processes(jobs, workers, sitting)
    else:
        run_here(jobs, sitting)


def run_here(jobs: Sequence[Job], sitting: Sitting = Sitting()) -> None:
    """One cell after the other in this process, for a device that is shared badly."""
    done, seconds = [0] * len(jobs), [-1.0] * len(jobs)
    with sitting.board(jobs) as board:
        for number, job in enumerate(jobs):

            def one_step(number: int = number) -> None:
                if sitting.over():
                    raise TimeUp
                done[number] = min(done[number] + 1, jobs[number].steps)  # its test says that it goes on, too
                board.show(done, seconds)

            try:
                timed(job, number, one_step, done, seconds)
            except TimeUp:  # the cell's last checkpoint stays
                return
            board.show(done, seconds)


def run_in_processes(jobs: Sequence[Job], workers: int, sitting: Sitting = Sitting()) -> None:
    """Let ``workers`` processes (at most one per cell) take cell after cell, in order, and wait for all.

    They are forked from a process that has done nothing but import what the cells need, once for a whole run. Each
    computes on one thread: several threads in each of several processes on the same cores are many times slower, and
    the number of threads changes the last bits of a result.

    Raises:
        AnomalyGanError: a cell failed; the others are stopped, and finished cells stay.
        EnvironmentFailure: a process died without a word.
    """
    if not jobs:
        return
    with _startable(sitting):
        context = warm_context(jobs)
    workers = min(workers, len(jobs))
    desk = Desk(context.Value("L", 0), context.Array("L", len(jobs)), context.Array("d", [-1.0] * len(jobs)))
    pipes = [context.Pipe(duplex=False) for _ in range(workers)]
    given = list(jobs), desk, dict(os.environ)
    processes = [context.Process(target=_work, args=(*given, sender), daemon=True) for _, sender in pipes]
    try:
        with _startable(sitting), _no_interrupt():
            for process in processes:
                process.start()
        for _, sender in pipes:
            sender.close()
        with sitting.board(jobs, workers) as board:
            receivers = [receiver for receiver, _ in pipes]
            _watch(processes, receivers, lambda: board.show(desk.done[:], desk.seconds[:]), sitting)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            if process.pid is not None:
                process.join()


def warm_context(jobs: Sequence[Job]) -> Any:
    """How to start workers: forked from a warm process, which begins with the first of them and ends with this one;
    spawned where the system cannot fork safely (Windows, macOS)."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", *sorted({type(job).__module__ for job in jobs})])
    with _no_interrupt(), _environment(OMP_NUM_THREADS="1"):  # a process with threads of its own is not to be forked
        forkserver.ensure_running()
    _wait_until_warm(context)
    return context


@functools.cache
def _wait_until_warm(context: Any) -> None:
    """Wait for its imports, which take seconds, while Ctrl-C is heard; workers are started where it is not."""
    first = context.Process(target=_nothing, daemon=True)
    first.start()
    first.join()


def _nothing() -> None:
    pass


@contextlib.contextmanager
def _startable(sitting: Sitting) -> Iterator[None]:
    """Raises EnvironmentFailure where the warm process has died, which says why itself: a module that cannot be
    imported, memory."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise EnvironmentFailure(
            f"{sitting.label}: no worker process can be started ({error}; out of memory?); {sitting.remedy}"
        ) from error


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Children begun in the body know no Ctrl-C, not even while they start: the parent gets it and stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Desk:
    """What parent and workers share: the number of the next cell, and of each cell its steps and its seconds."""

    next: Any
    done: Any
    seconds: Any

    def take(self) -> int:
        with self.next.get_lock():
            self.next.value += 1
            return self.next.value - 1


def _watch(
    processes: Sequence[Any], receivers: Sequence[Connection], show: Callable[[], None], sitting: Sitting
) -> None:
    running = list(zip(processes, receivers, strict=True))
    while running and not sitting.over():
        time.sleep(POLL_SECONDS)
        show()
        for process, receiver in list(running):
            if process.is_alive():
                continue
            process.join()
            running.remove((process, receiver))
            if process.exitcode:
                _raise(receiver, process.exitcode, sitting)
    show()


def _raise(receiver: Connection, exit_code: int, sitting: Sitting = Sitting()) -> None:
    """Raise in this process what stopped a worker."""
    try:
        failure: Failure = receiver.recv()
    except EOFError:
        raise EnvironmentFailure(
            f"{sitting.label}: a worker process ended with code {exit_code} without a message (out of memory?); "
            f"{sitting.remedy}"
        ) from None
    raise_failure(failure)


def _work(jobs: list[Job], desk: Desk, environment: dict[str, str], sender: Connection) -> None:
    """A worker's whole life."""
    os.environ.clear()  # the process it was forked from has that of the first jobs
    os.environ.update(environment)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops us
    _, failure = guarded(_work_off, jobs, desk)
    if failure is not None:
        sender.send(failure)
        sys.exit(1)


def _work_off(jobs: list[Job], desk: Desk) -> None:
    alone()  # the parent shows how far we are
    while (number := desk.take()) < len(jobs):

        def one_step(number: int = number) -> None:
            desk.done[number] = min(desk.done[number] + 1, jobs[number].steps)

        timed(jobs[number], number, one_step, desk.done, desk.seconds)


def _die_with_parent() -> None:
    """Or with the process we were forked from: without it the parent takes us for dead."""
    parent, forked_from = multiprocessing.parent_process(), os.getppid()
    while parent is not None and parent.is_alive() and os.getppid() == forked_from:
        parent.join(1)
    os._exit(1)
