"""Loss of power, modelled: only what was synced survives.

While the work runs, every ``os.fsync`` is noted: of a file, its bytes become durable; of a folder, its entries. After a
loss of power a folder holds the entries of its last sync, and a file that was never synced is empty. That is the worst
that a file system may do; one state is made for every sync.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Recorder:
    """``states``: after each sync, (entries of every synced folder, bytes of every synced file), by inode."""

    root: int
    entries: dict[int, dict[str, tuple[int, bool]]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)
    states: list[tuple[dict[int, dict[str, tuple[int, bool]]], dict[int, bytes]]] = field(default_factory=list)

    def synced(self, handle: int) -> None:
        path, state = Path(f"/proc/self/fd/{handle}"), os.fstat(handle)
        if stat.S_ISDIR(state.st_mode):
            self.entries[state.st_ino] = {
                item.name: (item.inode(), item.is_dir(follow_symlinks=False))
                for item in os.scandir(os.readlink(path))  # noqa: PTH115
                if not item.is_symlink()
            }
        else:
            self.content[state.st_ino] = path.read_bytes()
        self.states.append(({key: dict(value) for key, value in self.entries.items()}, dict(self.content)))

    def build(self, state: int, target: Path) -> None:
        """The file system after a loss of power just after sync number ``state``."""
        entries, content = self.states[state]
        self._build(entries, content, self.root, target)

    def _build(self, entries: dict[int, Any], content: dict[int, bytes], inode: int, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for name, (child, folder) in entries.get(inode, {}).items():
            if folder:
                self._build(entries, content, child, target / name)
            else:
                (target / name).write_bytes(content.get(child, b""))


@contextmanager
def recorded(root: Path, skip: Callable[[int], bool] = lambda handle: False) -> Iterator[Recorder]:
    """Note all syncs while the block runs. ``skip`` says of a handle that its sync is left out: a fault put in."""
    recorder, real = Recorder(root.stat().st_ino), os.fsync

    def fsync(handle: int) -> None:
        if not skip(handle):
            recorder.synced(handle)

    os.fsync = fsync  # type: ignore[assignment]
    try:
        yield recorder
    finally:
        os.fsync = real


def is_file(handle: int) -> bool:
    return stat.S_ISREG(os.fstat(handle).st_mode)
