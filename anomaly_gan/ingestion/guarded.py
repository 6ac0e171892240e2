"""Foreign pictures are decoded in a process of its own, with limits of memory and time.

One worker is kept for all of them, so that a picture costs a message there and back: its bytes, and the pixels found,
pass through memory that both share. A decoder that crashes, eats or hangs ends the worker, not the ingest; the next
picture gets a new one. What a worker answers is JSON and plain arrays, so that it has nothing to say but that. A pool
of the standard library unpickles what a worker answers, and breaks as a whole where one crashes.
"""

from __future__ import annotations

import atexit
import gc
import json
import mmap
import os
import resource
import select
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn

import cv2
import numpy as np

from ..core.errors import InputError
from .ledger import refuse

MOST_MEMORY = 2**30
"""Bytes of address space beyond what the process has already."""
MOST_SECONDS = 10
"""Seconds of processor time for one picture."""
GRACE = 60
"""Seconds by the clock after which the worker is ended, where it does not use the processor at all."""
FORKS = hasattr(os, "fork")
"""Where there is no fork (Windows), pictures are decoded in this process."""
QUESTION, ANSWER = 64 * 2**20, 256 * 2**20
"""Bytes shared for a picture and for what is made of it; what is larger goes through the pipes. Untouched pages cost
nothing, and touched ones are given back where they are more than ``KEPT``."""
KEPT = 64 * 2**20
ORPHAN_SECONDS = 5
Answer = tuple[dict[str, Any], list[np.ndarray]]
Work = Callable[..., Answer]


def guarded(name: str, content: bytes, work: Work, **told: Any) -> Answer:
    """What ``work(name, content, **told)`` gives: (JSON-able, arrays), from the worker.

    A picture is judged alone: one that ends a worker that had others before it, or needs more memory than that one has
    left, is tried once more by a new one.

    Args:
        name: the file, for messages.
        content: its bytes.
        work: a function of a module; the worker finds it by its name.
        told: JSON-able.

    Raises:
        InputError: what ``work`` raised; A17 it needed too much memory or time; A12 its decoder crashed.
    """
    if not FORKS:
        return work(name, content, **told)
    with _ONE_AT_A_TIME:
        worker = _worker()
        try:
            try:
                return worker.ask(name, content, work, told)
            except _Ended:
                if worker.asked == 1:
                    raise
                end()
                return _worker().ask(name, content, work, told)
        except _Ended as ended:
            end()
            raise refuse(name, *ended.fault) from None
        except InputError:
            raise
        except BaseException:  # Ctrl-C: its answer would be taken for the next one's
            end()
            raise


class _Ended(Exception):
    """The worker is of no use any more; ``fault``: (code, reason, remedy)."""

    def __init__(self, *fault: str) -> None:
        self.fault = fault


class _Worker:
    """One process that decodes what it is given until it is ended, and this process's end of the way to it."""

    def __init__(self) -> None:
        self.shared = _shared()
        question, self.send = os.pipe()
        self.take, answer = os.pipe()
        self.owner, self.asked = os.getpid(), 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: none is used there
            self.process = os.fork()
        if self.process == 0:
            _serve(question, answer, self.shared, self.owner)
        os.close(question)
        os.close(answer)

    def ask(self, name: str, content: bytes, work: Work, told: dict[str, Any]) -> Answer:
        """What the process makes of a file. Where it takes too long it is killed: a decoder cannot be stopped.

        Raises:
            InputError: the file is refused; ``_Ended`` where the process is gone and another one is needed.
        """
        self.asked += 1
        until = time.monotonic() + GRACE
        head = {
            "work": [work.__module__, work.__qualname__],
            "name": name,
            "told": told,
            "bytes": len(content),
            "seconds": MOST_SECONDS,
        }
        try:
            _put(self.send, head, [content], self.shared, 0, QUESTION)
            answer, start = _head(self.take, until)
        except TimeoutError:
            self.end(signal.SIGKILL)
            raise _Ended("A17", f"takes more than {GRACE} s to decode", "save it as a plain PNG") from None
        except (EOFError, BrokenPipeError):
            raise self._fate() from None
        if "refused" in answer:
            raise InputError(*answer["refused"])
        if "memory" in answer:
            raise _Ended("A17", f"needs more than {MOST_MEMORY >> 20} MiB to decode", "cut it into tiles")
        if "fault" in answer:
            raise _Ended("A12", f"its decoder failed ({answer['fault']})", "save it as a plain PNG")
        arrays = _arrays(self.take, answer, start, self.shared, until)
        _give_back(self.shared, len(content), sum(array.nbytes for array in arrays))
        return answer["told"], arrays

    def _fate(self) -> _Ended:
        status = self.end()
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if ended == signal.SIGXCPU:
            return _Ended("A17", f"takes more than {MOST_SECONDS} s to decode", "save it as a plain PNG")
        return _Ended("A12", f"its decoder crashed (signal {ended})", "save it as a plain PNG")

    def end(self, how: int | None = None) -> int:
        """Its exit status; 0 where it has been ended already, or is another process's."""
        if self.owner != os.getpid() or self.process < 0:
            return 0
        process, self.process = self.process, -1
        os.close(self.send)
        os.close(self.take)
        if how is not None:
            os.kill(process, how)
        return os.waitpid(process, 0)[1]


_ONE_AT_A_TIME: Final = threading.RLock()
_KEPT: Final[list[_Worker]] = []


def _worker() -> _Worker:
    """This process's own, which a fork of it must not use."""
    if not _KEPT or _KEPT[0].owner != os.getpid() or _KEPT[0].process < 0:
        _KEPT[:] = [_Worker()]
    return _KEPT[0]


@atexit.register
def end() -> None:
    """End the worker; the next picture starts a new one."""
    while _KEPT:
        _KEPT.pop().end(signal.SIGKILL)


def _shared() -> mmap.mmap | None:
    try:
        return mmap.mmap(-1, QUESTION + ANSWER)
    except (OSError, ValueError):  # so much address space is not to be had: all goes through the pipes
        return None


def _serve(question: int, answer: int, shared: mmap.mmap | None, parent: int) -> NoReturn:
    """The worker: one answer for each question until there are no more."""
    code = 1
    try:
        _finalize(question, answer)
        while _asked(question, parent):
            told, start = _head(question, None)
            content = _taken(question, told["bytes"], start, shared)
            _put(answer, *_answer(told, content), shared, QUESTION, ANSWER)
        code = 0
    except EOFError:
        code = 0
    finally:
        os._exit(code)


def _finalize(*kept: int) -> None:
    """Nothing of the parent's but the two pipes: no lock of its, no terminal, and its end is told by theirs."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # sent to all of a terminal's processes
        signal.signal(one, signal.SIG_IGN)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    low = 3
    for handle in sorted(kept):
        os.closerange(low, handle)
        low = handle + 1
    os.closerange(low, max(low, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 2**20)))
    cv2.setNumThreads(0)  # a fork has none of its parent's threads
    gc.freeze()  # looking through what the parent made would copy it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - a file of the system
            most = int(stream.read().split()[0]) * resource.getpagesize() + MOST_MEMORY
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _asked(question: int, parent: int) -> bool:
    while not select.select([question], [], [], ORPHAN_SECONDS)[0]:
        if os.getppid() != parent:  # another fork of it still holds the pipe
            return False
    return True


def _answer(asked: dict[str, Any], content: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = int(time.process_time()) + 1 + asked["seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    module, function = asked["work"]
    try:
        told, arrays = getattr(import_module(module), function)(asked["name"], content, **asked["told"])
    except InputError as error:
        return {"refused": [error.where, error.code, error.reason, error.remedy]}, []
    except MemoryError:
        return {"memory": True}, []
    except Exception as error:
        return {"fault": f"{type(error).__name__}: {error} ({traceback.extract_tb(error.__traceback__)[-1].name})"}, []
    arrays = [np.ascontiguousarray(item) for item in arrays]
    return {"told": told, "arrays": [[list(item.shape), item.dtype.str] for item in arrays]}, arrays


def _put(
    handle: int,
    head: dict[str, Any],
    parts: Sequence[Any],
    shared: mmap.mmap | None,
    start: int,
    room: int,
) -> None:
    """Send a head, and its parts by the shared memory from ``start`` on where there is ``room``, else behind it."""
    views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
    fits = shared is not None and sum(map(len, views)) <= room
    line = json.dumps({**head, "at": start if fits else -1}).encode()
    if fits:
        for view in views:
            shared[start : start + len(view)] = view  # type: ignore[index] # it fits, so it is there
            start += len(view)
    _write(handle, len(line).to_bytes(8, "little") + line)
    for view in () if fits else views:
        _write(handle, view)


def _write(handle: int, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _head(handle: int, until: float | None) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(_read(handle, 8, until), "little")
    head = json.loads(bytes(_read(handle, size, until)))
    return head, head["at"]


def _taken(handle: int, size: int, start: int, shared: mmap.mmap | None) -> bytes:
    return bytes(_read(handle, size, None)) if start < 0 or shared is None else shared[start : start + size]


def _arrays(
    handle: int, answer: dict[str, Any], start: int, shared: mmap.mmap | None, until: float
) -> list[np.ndarray]:
    arrays = []
    for shape, kind in answer["arrays"]:
        count = int(np.prod(shape))
        size = count * np.dtype(kind).itemsize
        if start < 0 or shared is None:
            found = np.frombuffer(_read(handle, size, until), kind, count)
        else:
            found = np.frombuffer(shared, kind, count, start).copy()
            start += size
        arrays.append(found.reshape(shape))
    return arrays


def _read(handle: int, size: int, until: float | None) -> bytearray:
    """That many bytes and no more.

    Raises: EOFError where there are fewer, TimeoutError where they take longer.
    """
    content = bytearray()
    while len(content) < size:
        if until is not None and not select.select([handle], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(handle, min(2**20, size - len(content)))
        if not part:
            raise EOFError
        content += part
    return content


def _give_back(shared: mmap.mmap | None, asked: int, answered: int) -> None:
    if shared is not None and max(asked, answered) > KEPT and hasattr(mmap, "MADV_REMOVE"):
        with suppress(OSError):
            shared.madvise(mmap.MADV_REMOVE)
