"""A job: a piece of work that runs by itself and keeps its own result; what every engine knows of it."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeVar

from ..core.errors import AnomalyGanError
from ..core.progress import silence
from .board import Board, Plan

Result = TypeVar("Result")


class Job(Protocol):
    """It runs by itself, calls ``on_step`` ``steps`` times, and keeps its own result.

    It may say ``kind`` (jobs of one kind take equally long), ``device`` and ``threads`` (1 where it does not).
    """

    @property
    def steps(self) -> int: ...

    def run(self, on_step: Callable[[], None] = ...) -> None: ...


@dataclass(frozen=True)
class Sitting:
    """How a number of jobs is worked off, on whatever engine.

    ``label``: what the progress line calls the work; ``remedy``: what a message advises where a worker dies;
    ``plan``: what the progress line knows of the jobs (None: nothing of earlier ones); ``say`` takes one line whenever
    jobs have finished; once ``over()``, what runs stops at its last checkpoint.
    """

    label: str = "compare"
    remedy: str = "set compare.workers=1 or a smaller detect.image_size"
    plan: Plan | None = None
    say: Callable[[str], None] = lambda line: None
    over: Callable[[], bool] = lambda: False

    def board(self, jobs: Sequence[Job], workers: int = 1) -> Board:
        """The progress line over all jobs."""
        plan = self.plan or Plan([getattr(job, "kind", "") for job in jobs], [job.steps for job in jobs], workers)
        return Board(self.label, plan, self.say)


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, in a form that every process can read. ``exit_code`` None: a bug."""

    message: str
    exit_code: int | None


def guarded(work: Callable[..., Result], *arguments: Any) -> tuple[Result | None, Failure | None]:
    """What ``work(*arguments)`` returns, and what went wrong."""
    try:
        return work(*arguments), None
    except AnomalyGanError as error:
        return None, Failure(str(error), error.exit_code)
    except Exception:
        return None, Failure(traceback.format_exc(), None)


def raise_failure(failure: Failure) -> NoReturn:
    """Raise in this process what stopped a worker."""
    if failure.exit_code is None:
        last = failure.message.strip().rpartition("\n")[2]  # first, for who shortens it
        raise RuntimeError(f"a worker process failed: {last}\n{failure.message}")
    error = AnomalyGanError(failure.message)
    error.exit_code = failure.exit_code
    raise error


def timed(job: Job, number: int, one_step: Callable[[], None], done: Any, seconds: Any) -> None:
    """Run a job and write down what a whole one takes: of a resumed one, only the rest was seen."""
    began = time.monotonic()
    job.run(one_step)
    made = done[number]
    seconds[number] = (time.monotonic() - began) * job.steps / made if made else 0.0
    done[number] = job.steps


def alone(threads: int = 1) -> None:
    """This process works for another one: it is silent, and computes on this many threads."""
    silence()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import cv2
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
