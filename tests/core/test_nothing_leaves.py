"""The watch over the whole suite is there, and refuses; see tests/conftest.py."""

from __future__ import annotations

import os
import pickle
import socket
from fractions import Fraction

import pytest

CLASS = pickle.dumps(Fraction(1, 2))


@pytest.fixture
def tried(nothing_leaves_this_machine, request):
    """What the watch has noted, taken out again."""
    import sys

    module = next(
        one
        for one in sys.modules.values()
        if getattr(one, "__file__", "") == str(request.config.rootpath / "tests/conftest.py")
    )
    before = len(module.TRIED)
    yield lambda: module.TRIED[before:]
    del module.TRIED[before:]


def test_another_machine_and_a_shell_are_out_of_reach(tried):
    with socket.socket() as client:
        client.settimeout(1)
        with pytest.raises(OSError, match="no other machine"):
            client.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match="no shell"):
        os.system("true")
    assert [one.split()[0] for one in tried()] == ["connect", "os.system"]


def test_neither_a_shell_nor_an_unpickling_by_code_of_ours_passes(tried, request):
    ours = str(request.config.rootpath / "anomaly_gan" / "planted.py")
    for line, kind in (("subprocess.run('true', shell=True)", "subprocess"), (f"pickle.loads({CLASS!r})", "unpickle")):
        exec(compile(f"import pickle, subprocess\n{line}", __file__, "exec"))
        with pytest.raises(OSError, match="the program"):
            exec(compile(f"import pickle, subprocess\n{line}", ours, "exec"))
        assert [one.split()[0] for one in tried()][-1] == kind
    assert len(tried()) == 2


def test_this_machine_can_be_reached(tried):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()):
            pass
    assert tried() == []
