"""Work on foreign bytes in a process of its own, with limits of memory and time.

Large pictures and formats whose decoders are rarely used go through it; a plain PNG, JPEG or BMP of ordinary size does
not, so that it costs an ordinary set nothing. A decoder that crashes ends its process, not the ingest.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..core.errors import InputError
from .ledger import refuse

MOST_MEMORY = 2**30
"""Bytes of address space beyond what the process has already."""
MOST_SECONDS = 10
GRACE = 60
"""Seconds by the clock after which the process is ended, where it does not use the processor at all."""
Answer = tuple[dict[str, Any], list[np.ndarray]]


def guarded(name: str, work: Callable[[], Answer]) -> Answer:
    """What ``work`` gives: (JSON-able, arrays), from a fork; where there is none (Windows), from here.

    Raises:
        InputError: what ``work`` raised; A17 it needed too much memory or time; A12 its decoder crashed.
    """
    if not hasattr(os, "fork"):
        return work()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks in a process with threads: none is used there
        child = os.fork()
    if child == 0:
        _work(work, write)  # does not come back
    os.close(write)
    content, late = _read(read)
    os.close(read)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) or late or not content:
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if late or ended in (signal.SIGXCPU, signal.SIGKILL):
            raise refuse(name, "A17", f"takes more than {MOST_SECONDS} s to decode", "save it as a plain PNG")
        raise refuse(name, "A12", f"its decoder crashed (signal {ended})", "save it as a plain PNG")
    return _unpack(name, content)


def _work(work: Callable[[], Answer], write: int) -> None:
    code = 1
    try:
        cv2.setNumThreads(0)  # a fork has none of its parent's threads
        _limit()
        try:
            told, arrays = work()
        except InputError as error:
            told, arrays = {"refused": [error.where, error.code, error.reason, error.remedy]}, []
        except MemoryError:
            told, arrays = {"memory": True}, []
        head = json.dumps({"told": told, "arrays": [[list(item.shape), item.dtype.str] for item in arrays]}).encode()
        with os.fdopen(write, "wb") as stream:
            stream.write(len(head).to_bytes(8, "little") + head)
            for item in arrays:
                stream.write(np.ascontiguousarray(item).data)
        code = 0
    finally:
        os._exit(code)


def _limit() -> None:
    used = 0
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - a file of the system
            used = int(stream.read().split()[0]) * resource.getpagesize()
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, used + MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(handle: int) -> tuple[bytearray, bool]:
    content, until = bytearray(), time.monotonic() + GRACE
    while True:
        ready, _, _ = select.select([handle], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return content, True
        part = os.read(handle, 2**20)
        if not part:
            return content, False
        content += part


def _unpack(name: str, content: bytearray) -> Answer:
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    told = head["told"]
    if "refused" in told:
        raise InputError(*told["refused"])
    if "memory" in told:
        raise refuse(name, "A17", f"needs more than {MOST_MEMORY >> 20} MiB to decode", "cut it into tiles")
    arrays, place = [], 8 + size
    for shape, kind in head["arrays"]:
        count = int(np.prod(shape)) * np.dtype(kind).itemsize
        arrays.append(np.frombuffer(content, kind, int(np.prod(shape)), place).reshape(shape))
        place += count
    return told, arrays
