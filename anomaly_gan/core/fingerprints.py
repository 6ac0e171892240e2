"""SHA-256 of the files that a run reads from outside, taken once: a million photographs are not read at each start.

A file counts as unchanged while its size, its times (also that of its last change of any kind, which no program can
set), and its number on the disk are those it had when it was read, and lay more than two seconds back by then.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EnvironmentFailure
from .files import sha256_bytes, sha256_file, write_json
from .manifest import LOGS

NOTE = "fingerprints.json"
"""Among a run's logs. It may be deleted at any time."""
SETTLED_NS = 2 * 10**9
"""A file changed less than this before it was read may change again without its times telling."""


@dataclass
class Known:
    """What is known of files, by a hash of their paths: [size, times, number, SHA-256]."""

    rows: dict[str, list[object]] = field(default_factory=dict)
    changed: bool = False

    def sha256(self, path: Path) -> str:
        key, now = sha256_bytes(str(path.absolute()).encode("utf-8", "surrogateescape"))[:20], time.time_ns()
        about = path.stat()
        state: list[object] = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
        row = self.rows.get(key)
        if row is not None and row[:-1] == state:
            return str(row[-1])
        found = sha256_file(path)
        if max(about.st_mtime_ns, about.st_ctime_ns) < now - SETTLED_NS:
            self.rows[key], self.changed = [*state, found], True
        return found


_KNOWN: ContextVar[Known | None] = ContextVar("fingerprints", default=None)


@contextlib.contextmanager
def remembered(run: Path) -> Iterator[None]:
    """In the body, what is known of files is that of this run folder, which learns what is new where it is there."""
    known, note = Known(), run / LOGS / NOTE
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # damaged: nothing is known
        known.rows = {str(key): list(row) for key, row in json.loads(note.read_bytes()).items()}
    token = _KNOWN.set(known)
    try:
        yield
    finally:
        _KNOWN.reset(token)
        if known.changed and run.is_dir():
            with contextlib.suppress(EnvironmentFailure):  # whoever needs the disk says that it is full
                write_json(note, known.rows)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, from what is known of it where nothing has touched it since.

    Raises:
        OSError: it cannot be read.
    """
    known = _KNOWN.get()
    return sha256_file(path) if known is None else known.sha256(path)
