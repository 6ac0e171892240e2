"""What is said while work goes on: plain lines without a terminal, one line that redraws itself within one."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time

import pytest

from anomaly_gan.core import live
from anomaly_gan.core.progress import progress_bar, say, stage, track, watched

WORK = """
import time
from anomaly_gan.core import live, progress
live.DRAW_SECONDS = 0.05
with progress.watched(lambda moment: "whole run 0:09, about 2 min left", lambda moment: None):
    with progress.stage("train@x"), progress.progress_bar("train x", 600, 100, "steps") as bar:
        bar.set_postfix({"loss": "{0.5}"})
        bar.update(20)
        time.sleep(2)
    progress.say("train@x: done")
print("the result")
"""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(live, "DRAW_SECONDS", 0.02)
    monkeypatch.setattr(live, "PLAIN_SECONDS", 0.1)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)


def test_without_a_terminal_a_line_comes_now_and_then_and_nothing_on_stdout(quick, capsys):
    seen = []
    with watched(lambda moment: "whole run", seen.append), stage("gate@x"):
        for _ in track(range(4), "crops"):
            time.sleep(0.08)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and 1 <= len(lines) <= 4
    assert lines[0].startswith("  gate@x: crops ") and " of 4" in lines[0] and lines[0].endswith("whole run")
    assert seen and seen[0].stage == "gate@x"


def test_the_clock_goes_on_where_nothing_is_counted(quick, capsys):
    with stage("report"):
        time.sleep(0.3)
    assert "  report: 0:00" in capsys.readouterr().err


def test_short_work_says_nothing(capsys):
    with progress_bar("short", 3) as bar:
        bar.update()
    assert capsys.readouterr().err == ""


def test_a_process_that_another_speaks_for_is_silent(quick, capsys, monkeypatch):
    monkeypatch.setattr(live.LIVE, "quiet", True)
    with stage("compare"):
        time.sleep(0.2)
    say("nothing")
    assert capsys.readouterr().err == ""


def test_in_a_terminal_one_line_holds_everything_and_goes_when_the_work_is_done():
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 140, 0, 0))
    process = subprocess.run(
        [sys.executable, "-c", WORK],
        stderr=other,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    os.close(other)
    drawn = b""
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:
            break
        if not part:
            break
        drawn += part
    os.close(own)
    text = drawn.decode()
    assert process.stdout == "the result\n"
    assert "120 of 600 steps, loss {0.5}" in text and "whole run 0:09, about 2 min left" in text
    assert text.rstrip().endswith("train@x: done"), "the line is cleared"
    assert "train@x" in text.split("\r")[1], "redrawn in its place"
