"""A disk that is full, over quota, read-only or failing at the k-th I/O event, and what is left of a finished product.

``kills`` looks at what the same command makes of it afterwards; here, too, at what stood there before.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kills import GROWS, Work, _Counter, in_fork, tree


class _Failing(_Counter):
    """EIO once; from then on no space (ENOSPC, EDQUOT), or no change at all (EROFS)."""

    def __init__(self, within: Path, at: int, number: int) -> None:
        super().__init__(within, at, "full")
        self.number = number

    def _strike(self, event: str, path: str | bytes) -> None:
        once, growing = self.number == errno.EIO, self.number in (errno.ENOSPC, errno.EDQUOT)
        if (once and self.seen != self.at) or (growing and event not in GROWS):
            return
        raise OSError(self.number, os.strerror(self.number), path)


def failing(work: Work, within: Path, at: int, number: int) -> int:
    """The exit code of ``work`` where its event ``at`` fails: as the command line gives it, 99 for a traceback."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            sys.addaudithook(_Failing(within, at, number))
            work()
            code = 0
        except OSError:
            code = 4
        except BaseException as error:
            code = getattr(error, "exit_code", 99)
            if code == 99:
                traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def sweep_failures(
    work: Callable[[Path], Any],
    fresh: Callable[[], Path],
    product: str,
    number: int,
    wanted: Callable[[int, int], bool] = lambda at, events: True,
) -> list[str]:
    """Let ``work(folder)`` fail at each wanted event, then run it again; what went wrong.

    ``product``: a folder in ``fresh()`` that is finished before the work replaces it: it must stay whole.
    """
    home = fresh()
    before = tree(home / product)
    code, events = in_fork(lambda: work(home), home)
    if code or not events:
        return [f"undisturbed: exit code {code}, {events} events"]
    after, expected, found = tree(home / product), tree(home), []
    for at in (at for at in range(1, events + 1) if wanted(at, events)):
        folder = fresh()
        failed = failing(lambda folder=folder: work(folder), folder, at, number)
        where = f"event {at} of {events}"
        if failed not in (0, 4):
            found.append(f"{where}: exit code {failed}")
        if tree(folder / product) not in (before, after):
            found.append(f"{where}: the product before is no longer whole")
        if failed == 0 and tree(folder / product) != after:
            found.append(f"{where}: says that it is done, and is not")
        again, _ = in_fork(lambda folder=folder: work(folder), folder)
        if again or tree(folder) != expected:
            found.append(f"{where}: exit code {again} or other bytes with room again")
    return found
