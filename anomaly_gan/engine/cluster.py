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
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, EnvironmentFailure
from .jobs import Job, Result, Sitting, alone, guarded, raise_failure, timed

ENGINES = ("local", "ray")
POLL_SECONDS = 0.3
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Cluster:
    """Where jobs go. ``address`` as Ray takes it: ``auto``, ``HOST:6379``, or None for one on this machine alone."""

    address: str | None = None
    retries: int = 3
    """How often a job is begun again after its worker or machine died; an error of its own is final."""


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
            raise ConfigError("an address goes with --engine ray")
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
                f"--engine ray:{address}: no Ray cluster there ({first}); start one with `ray start --head`"
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
            f"--engine ray:{address}: nobody answers there ({error.strerror or error}); start a cluster with "
            "`ray start --head`, or use --engine ray:auto on one of its machines"
        ) from None


class Desk:
    """What driver and tasks share (a Ray actor): of each job its steps, and its seconds once it is finished."""

    def __init__(self, jobs: int) -> None:
        self._done, self._seconds = [0] * jobs, [-1.0] * jobs

    def note(self, number: int, done: int, seconds: float = -1.0) -> None:
        self._done[number], self._seconds[number] = done, seconds

    def read(self) -> tuple[list[int], list[float]]:
        return self._done, self._seconds


def run_on_cluster(jobs: Sequence[Job], cluster: Cluster, sitting: Sitting) -> None:
    """All jobs as tasks, each on a GPU where its ``device`` is one; returns when all are done, or once the sitting is
    over, when what still runs is cancelled.

    Raises:
        AnomalyGanError: a job failed by itself; the others are cancelled, and what is finished stays.
        EnvironmentFailure: a job's worker died more often than it is begun again.
    """
    import ray

    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), False)
    desk: Any = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here).remote(len(jobs))
    running: set[Any] = set()
    try:
        for number, job in enumerate(jobs):
            threads, device = getattr(job, "threads", 1), getattr(job, "device", "cpu")
            running.add(_begin(cluster, device, threads, _run, job, number, desk))
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        with sitting.board(jobs, min(slots, len(jobs) or 1)) as board:
            while running and not sitting.over():
                ready, _ = ray.wait(list(running), timeout=POLL_SECONDS)
                for reference in ready:
                    running.remove(reference)
                    _result(reference, sitting)
                board.show(*ray.get(desk.read.remote()))
    finally:
        for reference in running:
            _cancel(reference)
        ray.kill(desk)


def _run(job: Job, number: int, desk: Any) -> None:
    """One job in a worker of the cluster; the desk hears of its steps at most once a second."""
    done, seconds, told = [0], [-1.0], 0.0

    def one_step() -> None:
        nonlocal told
        done[0] = min(done[0] + 1, job.steps)
        if time.monotonic() - told > 1:
            told = time.monotonic()
            desk.note.remote(number, done[0])

    timed(job, 0, one_step, done, seconds)
    desk.note.remote(number, done[0], seconds[0])


def call(work: Callable[..., Result], *arguments: Any, device: str = "cpu") -> Result:
    """``work(*arguments)`` as one task of the cluster that was chosen, on as many threads as this process computes on.

    Raises:
        AnomalyGanError: it failed by itself.
        EnvironmentFailure: its worker died more often than it is begun again.
    """
    import torch

    sitting = Sitting(work.__module__.rpartition(".")[2], "give its machine more memory")
    reference = _begin(active() or Cluster(), device, torch.get_num_threads(), work, *arguments)
    try:
        return _result(reference, sitting)
    except BaseException:
        _cancel(reference)
        raise


def _begin(cluster: Cluster, device: str, threads: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """``work(*arguments)`` as a task; its reference."""
    import ray

    needs = {"num_cpus": threads, "num_gpus": int(device.startswith("cuda")), "max_retries": cluster.retries}
    return ray.remote(_task).options(**needs).remote(work, arguments, threads, str(Path.cwd()))


def _task(work: Callable[..., Any], arguments: tuple[Any, ...], threads: int, folder: str) -> Any:
    """In a worker of the cluster: what the work returns, and what went wrong."""
    os.chdir(folder)  # the driver's own, for paths may count from there
    alone(threads)
    return guarded(work, *arguments)


def _cancel(reference: Any) -> None:
    import ray

    with contextlib.suppress(Exception):  # it may have ended this moment
        ray.cancel(reference, force=True)


def _result(reference: Any, sitting: Sitting) -> Any:
    """What a finished task returned.

    Raises:
        AnomalyGanError: its work failed.
        EnvironmentFailure: its worker died more often than it is begun again.
    """
    import ray

    try:
        result, failure = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise EnvironmentFailure(
            f"{sitting.label}: a worker of the cluster died again and again ({type(error).__name__}; out of memory?); "
            f"{sitting.remedy}"
        ) from None
    if failure is not None:
        raise_failure(failure)
    return result
