"""Work done by another user, or on a disk of a few kilobytes: root may write and read everything, on any disk."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write: pytest's own are closed to others."""
    home = Path(tempfile.mkdtemp())
    try:
        home.chmod(0o777)
        yield home
    finally:
        shutil.rmtree(home)


def in_fork(work: Callable[[], object], as_nobody: bool = False, file_bytes: int | None = None) -> tuple[int, str]:
    """(exit code, message) of ``work`` in a fork: 0, an error's own code and text, 99 with a traceback.

    ``as_nobody``: by a user who owns nothing, where we are root; ``file_bytes``: no file may grow beyond that, which
    is how a full disk looks (EFBIG in place of ENOSPC).
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code, text = 99, ""
        try:
            if file_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
            if as_nobody and os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            code, text = 0, str(work())
        except BaseException as error:
            code = getattr(error, "exit_code", 99)
            text = traceback.format_exc() if code == 99 else str(error)
        finally:
            os.write(write, text.encode("utf-8", "replace")[:60_000])
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        text = stream.read().decode("utf-8")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@contextlib.contextmanager
def small_disk(kilobytes: int) -> Iterator[Path | None]:
    """A disk of this many kilobytes, None where we may not mount one."""
    with open_folder() as home:
        place = home / "disk"
        place.mkdir()
        options = f"size={kilobytes}k,mode=777"
        tool = shutil.which("mount")
        done = tool and sys.platform == "linux" and os.getuid() == 0
        if not done or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=False).returncode:
            yield None
            return
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
