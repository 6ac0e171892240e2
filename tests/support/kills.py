"""kill -9 at the k-th I/O event of some work, and what is left when it is run again.

A fork does the work and ends itself, as kill -9 would, just before its k-th call that changes a file system: opening to
write, renaming, removing, linking, making a folder. So every state a kill can leave between two such calls is met.
Instead of the kill, the disk can be full from that event on, or Ctrl-C can be pressed there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
GROWS = {"open", "os.mkdir", "os.link", "os.symlink"}
"""What a full disk refuses."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
Work = Callable[[], Any]
Fault = Literal["kill", "full", "interrupt"]
ENDS = {"kill": (137,), "full": (4,), "interrupt": (130,)}
"""How the work may end under each fault."""


class _Counter:
    """Strikes at event ``at``, or calls ``look(event)`` before each."""

    def __init__(self, within: Path, at: int | None, fault: Fault, look: Callable[[int], None] | None = None) -> None:
        self.within, self.at, self.fault, self.seen = str(within), at, fault, 0
        self.look, self.looking = look, False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.looking:
            return
        if event == "open":
            path, mode, flags = arguments
            changes = any(letter in (mode or "") for letter in "wax+") or bool((flags or 0) & WRITING)
        elif event in CHANGES:
            path, changes = arguments[0], True
        else:
            return
        if changes and isinstance(path, (str, os.PathLike)) and self._inside(os.fspath(path)):
            self.seen += 1
            if self.look is not None:
                self.looking = True
                self.look(self.seen)
                self.looking = False
            if self.at is not None and self.seen >= self.at:
                self._strike(event, os.fspath(path))

    def _strike(self, event: str, path: str | bytes) -> None:
        if self.fault == "kill":
            os._exit(137)
        if self.fault == "full" and event in GROWS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.fault == "interrupt" and self.seen == self.at:
            raise KeyboardInterrupt

    def _inside(self, path: str | bytes) -> bool:
        path = os.fsdecode(path)
        return path.startswith(self.within) or not path.startswith("/")  # whole trees are removed by relative names


def in_fork(
    work: Work,
    within: Path,
    at: int | None = None,
    fault: Fault = "kill",
    log: Path | None = None,
    look: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """(exit code, I/O events seen) of ``work`` in a process of its own, struck before event ``at``.

    ``log``: where what it says goes, instead of here. The code is 4 for want of space, 130 for Ctrl-C, 1 for an error.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            _say_into(log)
            counter = _Counter(within, at, fault, look)
            sys.addaudithook(counter)
            work()
            os.write(write, str(counter.seen).encode())
            code = 0
        except BaseException as error:
            code = _code_of(error)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        seen = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(seen or 0)


def _say_into(log: Path | None) -> None:
    if log is not None:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)


def _code_of(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    told = getattr(error, "exit_code", 4 if isinstance(error, OSError) else 1)
    return told if isinstance(told, int) else 1


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


@dataclass(frozen=True)
class Undisturbed:
    """What work leaves that nothing disturbs, and in how many I/O events."""

    events: int
    left: dict[str, str]


def undisturbed(work: Callable[[Path], Any], fresh: Callable[[], Path], log: Path | None = None) -> Undisturbed | str:
    """The work done once; words where it fails."""
    home = fresh()
    code, events = in_fork(lambda: work(home), home, log=log)
    if code or not events:
        return f"undisturbed: exit code {code}, {events} events"
    return Undisturbed(events, tree(home))


def strike(
    work: Callable[[Path], Any],
    fresh: Callable[[], Path],
    whole: Undisturbed,
    at: int,
    fault: Fault = "kill",
    log: Path | None = None,
) -> str | None:
    """Strike ``work(folder)`` before event ``at`` and run it again; what did not end as the undisturbed run did."""
    folder = fresh()
    struck, _ = in_fork(lambda: work(folder), folder, at, fault, log)
    again, _ = in_fork(lambda: work(folder), folder, log=log)
    event = f"{fault} at event {at} of {whole.events}"
    if struck not in ENDS[fault] and not (fault == "full" and struck == 0):  # it may need no more space from there on
        return f"{event}: ended with {struck}"
    return _unlike(event, again, folder, whole)


def kept_states(
    work: Callable[[Path], Any], folder: Path, shelf: Path, wanted: Collection[int], log: Path | None = None
) -> None:
    """Do ``work(folder)`` once and keep, in ``shelf/EVENT``, the folder as a kill before each wanted event leaves it.

    Files that were there before are linked (no write of ours changes one in place), new ones are copied: what a
    process has not yet handed to the system is not in them, as after a kill.
    """
    before = {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}

    def keep(source: str, target: str) -> None:
        if Path(source).stat().st_ino in before:
            Path(target).hardlink_to(source)
        else:
            shutil.copy2(source, target)

    def look(event: int) -> None:
        if event in wanted:
            shutil.copytree(folder, shelf / str(event), copy_function=keep, symlinks=True)

    in_fork(lambda: work(folder), folder, log=log, look=look)


def gone_on_with(
    work: Callable[[Path], Any], folder: Path, whole: Undisturbed, at: int, log: Path | None = None
) -> str | None:
    """As :func:`strike`, of a ``folder`` that is in the state of a kill before event ``at`` already."""
    again, _ = in_fork(lambda: work(folder), folder, log=log)
    return _unlike(f"kill at event {at} of {whole.events}", again, folder, whole)


def _unlike(event: str, again: int, folder: Path, whole: Undisturbed) -> str | None:
    if again:
        return f"{event}: exit code {again} afterwards"
    if (left := tree(folder)) != whole.left:
        unlike = sorted(name for name in {*left, *whole.left} if left.get(name) != whole.left.get(name))
        return f"{event}: other bytes: {', '.join(unlike[:5])}"
    return None


def sweep(work: Callable[[Path], Any], fresh: Callable[[], Path], wanted: Callable[[int, int], bool]) -> list[str]:
    """Kill ``work(folder)`` before each wanted event and run it again; what did not end as the undisturbed run did.

    ``fresh``: a new folder in the state in which the work starts. ``wanted``: (event, of how many) -> try it.
    """
    whole = undisturbed(work, fresh)
    if isinstance(whole, str):
        return [whole]
    events = range(1, whole.events + 1)
    found = [strike(work, fresh, whole, at) for at in events if wanted(at, whole.events)]
    return [words for words in found if words]
