"""Jobs on a Ray cluster: each is a task with resources of its own, retried where a worker or a machine dies.

A job keeps its own result in a folder that every machine sees (NFS or the like), so the files are those of a run on
one machine, with the same bytes: a task computes on as many threads as the job says. Ray (extra ``scale``) places
the tasks, starts them again elsewhere, and ends them when they are cancelled; nothing of that is done here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import AnomalyGanError, ConfigError, EnvironmentFailure
from .board import Board, Plan
from .jobs import Failure, Job, alone, plan_of, raise_failure, timed

Result = TypeVar("Result")
ENGINES = ("local", "ray")
POLL_SECONDS = 0.3
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Cluster:
    """Where jobs go. ``address`` as Ray takes it: ``auto``, ``HOST:6379``, or None for one on this machine alone."""

    address: str | None = None
    retries: int = 3
    """How often a job is begun again after its worker or machine died; an error of its own is final."""
    memory: int = 0
    """Bytes that a job reserves; 0: none."""


_ACTIVE: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def active() -> Cluster | None:
    """The cluster that jobs go to, None for this machine's own processes."""
    return _ACTIVE.get()


@contextlib.contextmanager
def engine(name: str = "local", address: str | None = None) -> Iterator[None]:
    """Jobs of the body run on this engine (``local`` or ``ray``).

    Raises:
        ConfigError: no such engine; an address without ``ray``; Ray is not installed or not to be reached there.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: must be one of: {', '.join(ENGINES)}")
    if name == "local":
        if address is not None:
            raise ConfigError("--address: goes with --engine ray")
        yield
        return
    ray = _connect(address)
    token = _ACTIVE.set(Cluster(address))
    try:
        yield
    finally:
        _ACTIVE.reset(token)
        ray.shutdown()


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError("--engine ray: Ray is not installed: pip install 'anomaly-gan[scale]'") from None
    if not ray.is_initialized():
        _answers(address)
        try:
            own: dict[str, Any] = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.WARNING, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise ConfigError(
                f"--address {address}: no Ray cluster there ({first}); start one with `ray start --head`"
            ) from None
    return ray


def _answers(address: str | None) -> None:
    """Ray itself would wait for minutes for a machine that is not there."""
    host, _, port = (address or "").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"--address {address}: nobody answers there ({error.strerror or error}); start a cluster with "
            "`ray start --head`, or use --address auto on one of its machines"
        ) from None


class Desk:
    """What driver and tasks share (a Ray actor): of each job its steps, and its seconds once it is finished."""

    def __init__(self, jobs: int) -> None:
        self._done, self._seconds = [0] * jobs, [-1.0] * jobs

    def note(self, number: int, done: int, seconds: float = -1.0) -> None:
        self._done[number], self._seconds[number] = done, seconds

    def read(self) -> tuple[list[int], list[float]]:
        return self._done, self._seconds


@dataclass
class _Row:
    """A list's place for one job, handed on to the desk at most once a second."""

    desk: Any
    number: int
    value: int = 0
    told: float = 0.0

    def step(self) -> None:
        self.value += 1
        if time.monotonic() - self.told > 1:
            self.told = time.monotonic()
            self.desk.note.remote(self.number, self.value)


def _task(job: Job, number: int, threads: int, desk: Any, folder: str) -> Failure | None:
    """One job in a worker of the cluster; what went wrong comes back as a word that every process can read."""
    os.chdir(folder)  # the driver's own, for a job's paths may count from there
    alone(threads)
    row, seconds = _Row(desk, number), [-1.0]
    done = [0]

    def one_step() -> None:
        done[0] += 1
        row.step()

    try:
        timed(job, 0, one_step, done, seconds)
    except AnomalyGanError as error:
        return Failure(str(error), error.exit_code)
    except Exception:
        return Failure(traceback.format_exc(), None)
    desk.note.remote(number, done[0], seconds[0])
    return None


def run_on_cluster(
    jobs: Sequence[Job],
    cluster: Cluster,
    label: str,
    remedy: str,
    plan: Plan | None = None,
    say: Callable[[str], None] = lambda line: None,
    over: Callable[[], bool] = lambda: False,
) -> None:
    """All jobs as tasks; returns when all are done, or once ``over()``, when what still runs is cancelled.

    Args:
        jobs: what is to be done, in order.
        cluster: the cluster and what a task asks of it.
        label: what the progress line calls the work.
        remedy: what a message advises where a worker dies.
        plan: who takes which job; None: in order.
        say: takes one line for people.
        over: asked between jobs; True ends the work with what is done.

    Raises:
        AnomalyGanError: a job failed by itself; the others are cancelled, and what is finished stays.
        EnvironmentFailure: a job's worker died more often than it is begun again.
    """
    import ray

    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), False)
    desk: Any = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here).remote(len(jobs))
    task = ray.remote(_task)
    running: dict[Any, int] = {}
    try:
        for number, job in enumerate(jobs):
            threads = getattr(job, "threads", 1)
            needs: dict[str, Any] = {
                "num_cpus": threads,
                "num_gpus": int(str(getattr(job, "device", "cpu")).startswith("cuda")),
                "max_retries": cluster.retries,
            }
            if cluster.memory:
                needs["memory"] = cluster.memory
            running[task.options(**needs).remote(job, number, threads, desk, str(Path.cwd()))] = number
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        with Board(label, plan or plan_of(jobs, min(slots, len(jobs) or 1)), say) as board:
            while running and not over():
                ready, _ = ray.wait(list(running), timeout=POLL_SECONDS)
                for reference in ready:
                    running.pop(reference)
                    _look(reference, label, remedy)
                board.show(*ray.get(desk.read.remote()))
    finally:
        for reference in running:
            with contextlib.suppress(Exception):  # it may have ended this moment
                ray.cancel(reference, force=True)
        ray.kill(desk)


def call(work: Callable[..., Result], *arguments: Any, device: str = "cpu") -> Result:
    """``work(*arguments)`` as one task of the cluster that was chosen, on as many threads as this process computes on.

    Raises:
        AnomalyGanError: it failed by itself.
        EnvironmentFailure: its worker died more often than it is begun again.
    """
    import ray
    import torch

    cluster, threads = active() or Cluster(), torch.get_num_threads()
    needs = {"num_cpus": threads, "num_gpus": int(device.startswith("cuda")), "max_retries": cluster.retries}
    reference = ray.remote(_called).options(**needs).remote(work, arguments, threads, str(Path.cwd()))
    try:
        result, failure = _get(reference, work.__module__.rpartition(".")[2], "give its machine more memory")
    except BaseException:
        with contextlib.suppress(Exception):
            ray.cancel(reference, force=True)
        raise
    if failure is not None:
        raise_failure(failure)
    return result


def _called(work: Callable[..., Any], arguments: tuple[Any, ...], threads: int, folder: str) -> Any:
    os.chdir(folder)
    alone(threads)
    try:
        return work(*arguments), None
    except AnomalyGanError as error:
        return None, Failure(str(error), error.exit_code)
    except Exception:
        return None, Failure(traceback.format_exc(), None)


def _look(reference: Any, label: str, remedy: str) -> None:
    """Raise what a finished task says."""
    failure = _get(reference, label, remedy)
    if failure is not None:
        raise_failure(failure)


def _get(reference: Any, label: str, remedy: str) -> Any:
    """What a task returned.

    Raises:
        EnvironmentFailure: its worker died more often than it is begun again.
    """
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = type(error).__name__
        raise EnvironmentFailure(
            f"{label}: a worker of the cluster died again and again ({reason}; out of memory?); {remedy}"
        ) from None
