"""For every test of the suite: nothing connects to another machine, and no shell is started by ``os.system``."""

from __future__ import annotations

import errno
import ipaddress
import sys
from collections.abc import Iterator
from typing import Any

import pytest

TRIED: list[str] = []
"""What was tried in this process, in order; it is refused as on a machine without a network."""


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_here(str(arguments[1][0])):
        TRIED.append(f"connect {arguments[1]}")
        raise OSError(errno.ENETUNREACH, "tests connect to no other machine")
    if event == "os.system":
        TRIED.append(f"os.system {arguments[0]!r}")
        raise OSError(errno.EPERM, "tests start no shell")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    """Fails the test in which something was tried, also where the code under test has swallowed the refusal."""
    before = len(TRIED)
    yield
    assert not TRIED[before:]
