"""One worker to a piece of work, among processes and machines that share a folder: a claim is a small file.

The file appears whole or not at all (a hard link to a finished one), so two can never both have made it. It names
its process; a claim whose process is known to be dead is taken over. Of a process on another machine nothing is
known, so its claim holds until it is given back, or until a person deletes the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import EnvironmentFailure

Holder = dict[str, Any]


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold the claim ``path`` for the body; yields False where another process holds it.

    Raises:
        EnvironmentFailure: the folder cannot be written, or does not know hard links.
    """
    mine = _me()
    held = _take(path, mine)
    try:
        yield held
    finally:
        if held and holder(path) == mine:
            path.unlink(missing_ok=True)


def holder(path: Path) -> Holder | None:
    """Who holds the claim (host, pid ...): None where nobody does, empty where the file does not say."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _take(path: Path, mine: Holder) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _link(path, mine):
            return True
        if not _is_dead(holder(path), mine):
            return False
        # two that find the same dead claim must not delete each other's new one: one at a time, and look again
        with (path.parent / ".takeover").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if _is_dead(holder(path), mine):
                path.unlink(missing_ok=True)
            return _link(path, mine)
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be claimed: {error.strerror or error}") from error


def _link(path: Path, mine: Holder) -> bool:
    """Make the file with its content in one step; False where it is there already."""
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(mine, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink(missing_ok=True)
    return True


def _me() -> Holder:
    return {
        "host": socket.gethostname(),
        "machine": _read("/etc/machine-id"),
        "pid": os.getpid(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "pids": _pid_namespace(),
        "started": _start_of(os.getpid()),
    }


def _is_dead(other: Holder | None, mine: Holder) -> bool:
    """True only where it is certain: the process is gone, or the machine has started again since.

    Process numbers mean something within one boot of one machine and one container alone; a number that was given
    to another process since shows by the time that process started.
    """
    if not other:
        return False
    if other.get("boot") and other["boot"] == mine["boot"]:
        if other.get("pids") != mine["pids"] or other.get("started") is None:
            return False
        return _start_of(int(other["pid"])) != other["started"]
    same_machine = bool(mine["machine"]) and all(other.get(name) == mine[name] for name in ("host", "machine"))
    return same_machine and bool(other.get("boot"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> int | None:
    """When a living process started, in clock ticks since boot; None for one that is gone (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
