"""Workers that are killed, interrupted, or whose first process dies: one line, and nobody works on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import worker_attacks


@pytest.mark.skipif(sys.platform != "linux", reason="only there are workers forked from a warm process")
def test_attacks_end_in_one_line_each_and_leave_no_process(tmp_path):
    attacks = subprocess.run(
        [sys.executable, worker_attacks.__file__, str(tmp_path / "marks")], capture_output=True, text=True, timeout=120
    )
    assert attacks.returncode == -signal.SIGKILL, attacks.stderr
    workers = [int(pid) for pid in attacks.stdout.split()]
    assert len(workers) == 2 and all(worker_attacks.gone(pid, 5) for pid in workers)
