"""A job: a piece of work that runs by itself and keeps its own result; what every engine knows of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from ..core.errors import AnomalyGanError
from ..core.progress import silence
from .board import Plan


class Job(Protocol):
    """It runs by itself, calls ``on_step`` ``steps`` times, and keeps its own result.

    It may say ``kind`` (jobs of one kind take equally long), ``device`` and ``threads`` (1 where it does not).
    """

    @property
    def steps(self) -> int: ...

    def run(self, on_step: Callable[[], None] = ...) -> None: ...


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, in a form that every process can read. ``exit_code`` None: a bug."""

    message: str
    exit_code: int | None


def raise_failure(failure: Failure) -> NoReturn:
    """Raise in this process what stopped a worker."""
    if failure.exit_code is None:
        raise RuntimeError(f"a worker process failed:\n{failure.message}")
    error = AnomalyGanError(failure.message)
    error.exit_code = failure.exit_code
    raise error


def plan_of(jobs: Sequence[Job], workers: int = 1) -> Plan:
    """What a progress bar needs to know of jobs without a past."""
    return Plan([getattr(job, "kind", "") for job in jobs], [job.steps for job in jobs], workers)


def timed(job: Job, number: int, one_step: Callable[[], None], done: Any, seconds: Any) -> None:
    """Run a job and write down what a whole one takes: of a resumed one, only the rest was seen."""
    began = time.monotonic()
    job.run(one_step)
    made = done[number]
    seconds[number] = (time.monotonic() - began) * job.steps / made if made else 0.0
    done[number] = job.steps


def alone(threads: int = 1) -> None:
    """This process works for another one: it is silent, and computes on so many threads."""
    silence()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import cv2
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
