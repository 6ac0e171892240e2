"""A claim is held by one living process at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anomaly_gan.core import locks as claims
from anomaly_gan.core.locks import claimed, holder

HOLD = """
import sys
from pathlib import Path
from anomaly_gan.core.locks import claimed
with claimed(Path(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process that holds the claim ``tmp_path / "logs/x.claim"`` until its standard input closes."""
    root = Path(claims.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "logs" / "x.claim")],
        text=True,
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline().strip() == "True"
    yield process
    process.kill()
    process.communicate()


def test_the_living_are_respected_and_the_dead_replaced(tmp_path: Path, other: subprocess.Popen) -> None:
    path = tmp_path / "logs" / "x.claim"
    with claimed(path) as held:
        assert not held
    assert (holder(path) or {})["pid"] == other.pid, "a refused claim leaves the holder's file alone"
    other.kill()  # no chance to give it back
    other.communicate()
    assert path.exists()
    with claimed(path) as held:
        assert held and (holder(path) or {})["pid"] == os.getpid()
        with claimed(path) as again:
            assert not again, "not even the same process can claim twice"
    assert not path.exists()
    assert not list(path.parent.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("changes", "free"),
    [
        ({"host": "elsewhere", "boot": "b", "machine": "m"}, False),  # nothing is known of another machine
        ({"boot": "before the power cut"}, True),  # the same machine has started again
        ({"started": -1}, True),  # the number belongs to a younger process now
        ({"pids": "pid:[another container]", "pid": 1, "started": -1}, False),
    ],
)
def test_only_what_is_known_to_be_dead_is_taken_over(
    changes: dict, free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = claims._me() | {"machine": "our machine"}
    monkeypatch.setattr(claims, "_me", lambda: dict(me))
    path = tmp_path / "x.claim"
    path.write_text(json.dumps(me | changes))
    with claimed(path) as held:
        assert held is free
    assert path.exists() is not free


def test_a_claim_that_nobody_can_read_is_left_to_people(tmp_path: Path) -> None:
    (tmp_path / "x.claim").write_text("")
    with claimed(tmp_path / "x.claim") as held:
        assert not held
