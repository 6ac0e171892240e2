"""labelme as a program: found, asked what it can do, started, waited for. It is never imported (GPL-3.0)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.core.resources import get_extra

HELP_SECONDS = 60.0
GRACE_SECONDS = 5.0
INSTALL = f"{get_extra('draw')}, or give its path with --labelme"
QT_LIBRARIES = (
    "libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxkbcommon-x11-0"
)
"""Debian's names of what Qt 5 (labelme up to 6) and Qt 6 (labelme 7) need and do not bring along."""


@dataclass(frozen=True)
class Program:
    """The labelme to start, and the flags with which this version saves at once and without the photograph."""

    path: str
    flags: tuple[str, ...] = ()


def find_program(named: str | None = None, environment: Mapping[str, str] | None = None) -> Program:
    """labelme beside this Python, on the PATH, or where ``named`` says.

    Raises:
        EnvironmentFailure: there is none, it does not start, or there is no screen to show it on.
    """
    environment = os.environ if environment is None else environment
    beside = Path(sys.executable).parent
    found = (
        shutil.which(named)
        if named is not None
        else shutil.which("labelme", path=str(beside)) or shutil.which("labelme", path=environment.get("PATH"))
    )
    if found is None:
        raise EnvironmentFailure(f"{named or 'labelme'}: no such program: {INSTALL}")
    if sys.platform.startswith("linux") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise EnvironmentFailure(
            "there is no screen (DISPLAY is not set), and labelme is a program with a window: "
            "run this on a desktop or over `ssh -X`, or lay the photographs out without opening "
            "labelme and draw elsewhere"
        )
    return Program(found, _flags_for(_help_text(found)))


def _help_text(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--help"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=HELP_SECONDS,
            check=False,
            env=_child_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"{path}: does not start ({error}): {INSTALL}") from error
    if done.returncode or "--output" not in done.stdout:
        raise EnvironmentFailure(f"{path}: is not a labelme that can be used ({_last_words(done.stderr)}): {INSTALL}")
    return done.stdout


def _flags_for(help_text: str) -> tuple[str, ...]:
    """Up to 5.x labelme saves on demand and embeds the photograph unless told otherwise; later it is the reverse."""
    wanted = ("--autosave", "--nodata")
    return tuple(flag for flag in wanted if re.search(rf"(?<![\w-]){flag}(?![\w-])", help_text))


def run_program(
    program: Program, photographs: Path, out: Path, labels: Path, changed: Callable[[], bool]
) -> str | None:
    """Open labelme on a folder of photographs and wait until it ends; its files go to ``out``.

    The user's ``~/.labelmerc`` is left aside: it may hold other labels, or rules that save elsewhere.

    Args:
        labels: a file with one label per line; no other label can be typed.
        changed: whether files were saved, asked where labelme ends badly.

    Returns:
        None, or in plain words how labelme ended, where that was not by being closed but something was saved.

    Raises:
        EnvironmentFailure: labelme ended badly and nothing was saved.
        KeyboardInterrupt: passed on, labelme having been ended.
    """
    config = "{display_label_popup: true}"
    command = [
        program.path,
        str(photographs.resolve()),
        "--output",
        str(out.resolve()),
        "--labels",
        str(labels.resolve()),
        "--validate-label",
        "exact",
        *program.flags,
    ]
    with tempfile.TemporaryDirectory(prefix="anomaly-gan-draw-") as folder, tempfile.TemporaryFile() as words:
        path = Path(folder) / "labelme.yaml"
        path.write_text(config + "\n", encoding="utf-8")
        code = _wait([*command, "--config", str(path)], words)
        said = _tail(words)
    if code == 0:
        return None
    ended = f"labelme ended by signal {-code}" if code < 0 else f"labelme ended with exit code {code}"
    if changed():
        return f"{ended}; what it had saved until then is kept"
    raise EnvironmentFailure(f"{ended}, nothing was saved: {_explain(said)}")


def _wait(command: list[str], words: IO[bytes]) -> int:
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=_child_environment()
        )
    except OSError as error:
        raise EnvironmentFailure(f"{command[0]}: does not start ({error}): {INSTALL}") from error
    try:
        return process.wait()
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End labelme where it still runs: Ctrl-C on the command line must leave no window behind."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(stop)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _child_environment() -> dict[str, str]:
    """Ours, without the paths that ``import cv2`` (the build with windows) sets: labelme's Qt fails on that one's."""
    return {name: value for name, value in os.environ.items() if not (name.startswith("QT_QPA_") and "cv2" in value)}


def _tail(words: IO[bytes]) -> str:
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - 20_000))
    return words.read().decode("utf-8", "replace")


def _explain(said: str) -> str:
    if "could not connect to display" in said.lower() or "cannot open display" in said.lower():
        return "the screen that DISPLAY names cannot be reached"
    if "platform plugin" in said:
        return f"Qt lacks libraries for windows; on Debian and Ubuntu: apt-get install {QT_LIBRARIES}"
    return _last_words(said)


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
