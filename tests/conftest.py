"""For every test of the suite: nothing connects to another machine, ``os.system`` starts no shell, and no code of ours
starts one or loads a class by pickle."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest


def _own_address() -> str:
    """This machine's address in its network, by which a cluster's nodes on it meet; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


OWN = _own_address()
TRIED: list[str] = []
"""What was tried in this process, in order; it is refused as on a machine without a network."""


def _is_here(host: str) -> bool:
    try:
        return host in ("localhost", OWN) or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


ROOT = Path(__file__).parents[1]
PACKAGES = tuple(f"{ROOT / name}/" for name in ("anomaly_gan", "detection", "mask_pool"))
SHELLS = {"sh", "bash", "dash", "zsh", "cmd.exe", "powershell.exe"}
BETWEEN_OURS = ("/multiprocessing/", "/concurrent/futures/", "/site-packages/ray/")
"""What our own processes send each other is no foreign file."""


def _by_ours() -> bool:
    """Whether code of ours has called what happens now."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if any(part in name for part in BETWEEN_OURS):
            return False
        if name.startswith(PACKAGES):
            return True
        frame = frame.f_back
    return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_here(str(arguments[1][0])):
        TRIED.append(f"connect {arguments[1]}")
        raise OSError(errno.ENETUNREACH, "tests connect to no other machine")
    if event == "os.system":
        TRIED.append(f"os.system {arguments[0]!r}")
        raise OSError(errno.EPERM, "tests start no shell")
    if event == "subprocess.Popen" and Path(str(arguments[0])).name in SHELLS and _by_ours():
        TRIED.append(f"subprocess {arguments[0]}")
        raise OSError(errno.EPERM, "the program starts no shell")
    if event == "pickle.find_class" and arguments[0].split(".")[0] not in ("numpy", "_codecs") and _by_ours():
        TRIED.append(f"unpickle {arguments[0]}.{arguments[1]}")
        raise OSError(errno.EPERM, "the program unpickles nothing")


sys.addaudithook(_watch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A search of a length that was asked for (``FUZZ=10000``) is not ended by the limit for a test."""
    if "FUZZ" in os.environ:
        for item in items:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    """Fails the test in which something was tried, also where the code under test has swallowed the refusal."""
    before = len(TRIED)
    yield
    assert not TRIED[before:]
