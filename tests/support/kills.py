"""kill -9 at the k-th I/O event of some work, and what is left when it is run again.

A fork does the work and ends itself, as kill -9 would, just before its k-th call that changes a file system: opening to
write, renaming, removing, linking, making a folder. So every state a kill can leave between two such calls is met.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
Work = Callable[[], Any]


class _Counter:
    def __init__(self, within: Path, at: int | None) -> None:
        self.within, self.at, self.seen = str(within), at, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            changes = any(letter in (mode or "") for letter in "wax+") or bool((flags or 0) & WRITING)
        elif event in CHANGES:
            path, changes = arguments[0], True
        else:
            return
        if changes and isinstance(path, (str, os.PathLike)) and self._inside(os.fspath(path)):
            self.seen += 1
            if self.seen == self.at:
                os._exit(137)

    def _inside(self, path: str | bytes) -> bool:
        path = os.fsdecode(path)
        return path.startswith(self.within) or not path.startswith("/")  # whole trees are removed by relative names


def in_fork(work: Work, within: Path, at: int | None = None) -> tuple[int, int]:
    """(exit code, I/O events seen) of ``work`` in a process of its own, killed before event ``at``."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            counter = _Counter(within, at)
            sys.addaudithook(counter)
            work()
            os.write(write, str(counter.seen).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        seen = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(seen or 0)


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under the folder, hidden ones and leftovers among them, without logs and free locks."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts and not path.name.endswith(".lock")
    }


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder where syncing costs nothing: a sweep writes the same files hundreds of times."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as name:
        yield Path(name)


def sweep(work: Callable[[Path], Any], fresh: Callable[[], Path], wanted: Callable[[int, int], bool]) -> list[str]:
    """Kill ``work(folder)`` before each wanted event and run it again; what did not end as the undisturbed run did.

    ``fresh``: a new folder in the state in which the work starts. ``wanted``: (event, of so many) -> try it.
    """
    home = fresh()
    code, events = in_fork(lambda: work(home), home)
    if code or not events:
        return [f"undisturbed: exit code {code}, {events} events"]
    expected, found = tree(home), []
    for at in range(1, events + 1):
        if not wanted(at, events):
            continue
        folder = fresh()
        killed, _ = in_fork(lambda folder=folder: work(folder), folder, at)
        again, _ = in_fork(lambda folder=folder: work(folder), folder)
        if killed != 137:
            found.append(f"event {at} of {events}: was not killed ({killed})")
        elif again:
            found.append(f"event {at} of {events}: exit code {again} afterwards")
        elif (left := tree(folder)) != expected:
            unlike = sorted(name for name in {*left, *expected} if left.get(name) != expected.get(name))
            found.append(f"event {at} of {events}: other bytes: {', '.join(unlike[:5])}")
    return found
