"""Jobs on a Ray cluster: each is a task with resources of its own, retried where a worker or a machine dies.

A job keeps its own result in a folder that every machine sees (NFS or the like), so the files are those of a run on
one machine, with the same bytes: a task computes on as many threads as the job says. Ray (extra ``scale``) places
the tasks, starts them again elsewhere, and ends them when they are cancelled; nothing of that is done here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, EnvironmentFailure
from ..core.progress import Counted, counted, counted_elsewhere
from ..core.resources import get_extra
from ..core.workfolder import remove_temporary
from .jobs import Job, Result, Sitting, alone, guarded, raise_failure, timed

ENGINES = ("local", "ray")
POLL_SECONDS = 0.3
TELL_SECONDS = 1.0
CONNECT_SECONDS = 5.0
BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Cluster:
    """Where jobs go, and what each of them takes there."""

    address: str | None = None
    """As Ray takes it: ``auto``, ``HOST:6379``, or None for a cluster of this machine alone."""
    cpus: float | None = None
    """Cores that a job takes; None: as many as it computes threads on."""
    gpus: float | None = None
    """GPUs, or a share of one; None: one where its device is ``cuda``."""
    memory: float = 0
    """Bytes that a machine must have left for it; Ray counts them, and does not hold the job to them."""
    retries: float = 3
    """How often a job is begun again after its worker or machine died; an error of its own is final."""

    def needs(self, device: str, threads: int) -> dict[str, float]:
        """Ray's options for one task."""
        return {
            "num_cpus": threads if self.cpus is None else self.cpus,
            "num_gpus": int(device.startswith("cuda")) if self.gpus is None else self.gpus,
            "max_retries": int(self.retries),
            **({"memory": int(self.memory)} if self.memory else {}),
        }


def read_engine(told: str) -> tuple[str, Cluster]:
    """``local``, ``ray``, ``ray:auto``, ``ray:HOST:6379``, each of the latter also with what a task takes:
    ``ray:auto,memory=8G,gpus=0.5,cpus=2,retries=5``.

    Raises:
        ConfigError: no such engine, no such resource, or no amount.
    """
    place, *asked = told.split(",")
    name, _, address = place.partition(":")
    if name not in ENGINES:
        raise ConfigError(f"--engine {told}: must be one of: {', '.join(ENGINES)}")
    if name == "local" and (address or asked):
        raise ConfigError(f"--engine {told}: addresses and resources go with ray")
    amounts: dict[str, float] = {}
    for one in asked:
        key, _, value = one.partition("=")
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", value)
        if key not in ("cpus", "gpus", "memory", "retries"):
            raise ConfigError(f"--engine {told}: {key}: must be one of: cpus, gpus, memory, retries")
        if found is None or (found[2] and key != "memory"):
            raise ConfigError(f"--engine {told}: {key}={value}: must be a number, of memory also with K, M, G or T")
        amounts[key] = float(found[1]) * BYTES[found[2]]
    return name, Cluster(address or None, **amounts)


_ACTIVE: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def active() -> Cluster | None:
    """The cluster that jobs go to, None for this machine's own processes."""
    return _ACTIVE.get()


@contextlib.contextmanager
def engine(told: str = "local") -> Iterator[None]:
    """Jobs of the body run on this engine (see :func:`read_engine`).

    Raises:
        ConfigError: no such engine; Ray is not installed or not to be reached there.
    """
    name, cluster = read_engine(told)
    if name == "local":
        yield
        return
    ray = _connect(cluster.address)
    token = _ACTIVE.set(cluster)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
        ray.shutdown()


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError(f"--engine ray: Ray is not installed; {get_extra('scale')}") from None
    if not ray.is_initialized():
        _answers(address)
        try:
            own: dict[str, Any] = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.WARNING, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = (str(error).strip().splitlines() or ["no reason given"])[0]
            token = "" if "RAY_AUTH_MODE" in os.environ else "; where it asks for a token, set RAY_AUTH_MODE=token"
            raise ConfigError(
                f"--engine ray:{address}: no Ray cluster there ({first}); start one with `ray start --head`{token}"
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
    """What driver and tasks share (a Ray actor): of each task what it last said."""

    def __init__(self, said: list[Any]) -> None:
        self._said = said

    def note(self, number: int, said: Any) -> None:
        self._said[number] = said

    def read(self) -> list[Any]:
        return self._said


@contextlib.contextmanager
def _desk(said: list[Any]) -> Iterator[Any]:
    """A desk on this machine, for as long as the body runs."""
    import ray

    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), False)
    desk: Any = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here).remote(said)
    try:
        yield desk
    finally:
        ray.kill(desk)


def _read(desk: Any, sitting: Sitting) -> list[Any]:
    """Raises EnvironmentFailure where this machine's own part of the cluster has died."""
    import ray

    try:
        return list(ray.get(desk.read.remote()))
    except ray.exceptions.RayError as error:
        raise EnvironmentFailure(
            f"{sitting.label}: this machine's part of the cluster died ({type(error).__name__}): start it again; the "
            "same command goes on"
        ) from None


def run_on_cluster(jobs: Sequence[Job], cluster: Cluster, sitting: Sitting) -> None:
    """All jobs as tasks, each on a GPU where its ``device`` is one; returns when all are done, or once the sitting is
    over, when what still runs is cancelled. A job that writes says where: ``folder``, or ``out``.

    Raises:
        AnomalyGanError: a job failed by itself; the others are cancelled, and what is finished stays.
        ConfigError: no machine of the cluster has what a job takes.
        EnvironmentFailure: a job's worker died more often than it is begun again.
    """
    import ray

    running: set[Any] = set()
    with _desk([(0, -1.0)] * len(jobs)) as desk:
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
                    said = _read(desk, sitting)
                    board.show([done for done, _ in said], [seconds for _, seconds in said])
        finally:
            for reference in running:
                _cancel(reference)
    places = (getattr(job, "folder", None) or getattr(job, "out", None) for job in jobs)
    for folder in sorted({Path(place) for place in places if place is not None}):
        remove_temporary(folder)  # of workers that died while they wrote


def _run(job: Job, number: int, desk: Any) -> None:
    """One job in a worker of the cluster; the desk hears of its steps at most once a second."""
    done, seconds, told = [0], [-1.0], 0.0

    def one_step() -> None:
        nonlocal told
        done[0] = min(done[0] + 1, job.steps)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            desk.note.remote(number, (done[0], -1.0))

    timed(job, 0, one_step, done, seconds)
    desk.note.remote(number, (done[0], seconds[0]))


def call(work: Callable[..., Result], *arguments: Any, device: str = "cpu") -> Result:
    """``work(*arguments)`` as one task of the cluster that was chosen, on as many threads as this process computes on;
    its progress is shown here.

    Raises:
        AnomalyGanError: it failed by itself.
        ConfigError: no machine of the cluster has what it takes.
        EnvironmentFailure: its worker died more often than it is begun again.
    """
    import ray
    import torch

    sitting = Sitting(work.__module__.rpartition(".")[2], "give its machine more memory")
    with _desk([None]) as desk, counted_elsewhere() as show:
        cluster = active() or Cluster()
        reference = _begin(cluster, device, torch.get_num_threads(), _counted, desk, work, arguments)
        try:
            while not ray.wait([reference], timeout=POLL_SECONDS)[0]:
                show(_read(desk, sitting)[0])
            return _result(reference, sitting)
        except BaseException:
            _cancel(reference)
            raise


def _counted(desk: Any, work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """In a worker of the cluster: the desk hears once a second how far the work is."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(TELL_SECONDS):
            said: Counted | None = counted()
            desk.note.remote(0, said)

    threading.Thread(target=tell, daemon=True).start()
    try:
        return work(*arguments)
    finally:
        over.set()


def _begin(cluster: Cluster, device: str, threads: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """``work(*arguments)`` as a task; its reference.

    Raises:
        ConfigError: no machine of the cluster has what it takes; Ray would wait for one.
    """
    import ray

    needs = cluster.needs(device, threads)
    wanted = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"], "memory": needs.get("memory", 0)}
    has = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(of_node.get(name, 0) >= amount for name, amount in wanted.items()) for of_node in has):
        said = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items() if amount)
        raise ConfigError(
            f"--engine ray: no machine of the cluster has {said}, which one task takes: lower threads, or say what it "
            "takes: --engine ray:auto,cpus=2,gpus=0,memory=4G"
        )
    return ray.remote(_task).options(**needs).remote(work, arguments, threads, str(Path.cwd()))


def _task(work: Callable[..., Any], arguments: tuple[Any, ...], threads: int, folder: str) -> Any:
    """In a worker of the cluster: what the work returns, and what went wrong."""
    os.chdir(folder)  # the driver's own, for paths may count from there
    alone(threads)
    return guarded(work, *arguments)


def _cancel(reference: Any) -> None:
    import ray

    with contextlib.suppress(Exception):  # it may have ended this moment; by force, Ray then ends this very process
        ray.cancel(reference)


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
