"""A virtual screen (Xvfb) with a mouse and a keyboard (xdotool), and the real labelme on it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import numpy as np

QT_NEEDS = ("xcb-icccm", "xcb-image", "xcb-keysyms", "xcb-render-util", "xcb-xinerama", "xkbcommon-x11")
"""Libraries of the system without which Qt opens no window."""
LABELME = shutil.which("labelme", path=str(Path(sys.executable).parent)) or shutil.which("labelme")


def missing() -> str | None:
    """What the tests with a real labelme need and this machine lacks."""
    lacking = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    lacking += [name for name in QT_NEEDS if find_library(name) is None]
    return ", ".join([*([] if LABELME else ["labelme"]), *lacking]) or None


@dataclass(frozen=True)
class Screen:
    """Xvfb's display ``name`` (":3"); its picture is kept in a file under ``folder``."""

    name: str
    folder: Path

    def tool(self, *words: object) -> str:
        """Run xdotool; its output, empty where it found nothing."""
        done = subprocess.run(
            ["xdotool", *map(str, words)],
            env={**os.environ, "DISPLAY": self.name},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.strip()

    def picture(self) -> np.ndarray:
        """The screen's pixels, (H, W, 3) RGB (the file is X11's xwd: a head of big-endian words, then BGRX)."""
        content = (self.folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack(">25I", content[:100])
        start, width, height, row = head[0] + 12 * head[19], head[4], head[5], head[12]
        pixels = np.frombuffer(content, np.uint8, height * row, start).reshape(height, row)
        return pixels[:, : width * 4].reshape(height, width, 4)[:, :, 2::-1]

    def windows(self) -> dict[str, str]:
        """Id -> title of the visible windows that have one.

        xdotool's own search by name passes over dialogs, whose title is set in the newer way alone.
        """
        found = self.tool("search", "--onlyvisible", "--name", "").split()
        return {window: title for window in found if (title := self.tool("getwindowname", window))}

    def titles(self) -> list[str]:
        return list(self.windows().values())

    def await_window(self, title: str) -> str:
        """The id of the window whose title begins with ``title``."""
        return until(
            lambda: [window for window, own in self.windows().items() if own.startswith(title)], f"window {title!r}"
        )[0]

    def await_dialog(self) -> str:
        """The id of labelme's dialog for the label."""
        return until(lambda: [window for window, own in self.windows().items() if own == "Labelme"], "the dialog")[0]

    def click(self, x: float, y: float) -> None:
        self.tool("mousemove", round(x), round(y), "sleep", "0.05", "click", 1, "sleep", "0.05")

    def keys(self, *names: str) -> None:
        for name in names:
            self.tool("key", "--clearmodifiers", name, "sleep", "0.05")


def until(ask: Callable[[], object], what: str, seconds: float = 60.0):
    """The first true answer; AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)
    return answer


@contextmanager
def virtual_screen(folder: Path) -> Iterator[Screen]:
    """A screen of 1280 x 900 that ends with the block."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
            "-noreset",  # or it closes for a moment whenever xdotool leaves
            "-fbdir",
            str(folder),
        ],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write)
        with os.fdopen(read) as stream:
            number = stream.readline().strip()
        assert number, "Xvfb did not start"
        yield Screen(f":{number}", folder)
    finally:
        server.terminate()
        server.wait(10)


def home_for_labelme(folder: Path) -> dict[str, str]:
    """Settings of an own home: a window as large as the screen, and a .labelmerc that must not count."""
    settings = folder / ".config" / "labelme"
    settings.mkdir(parents=True)
    (settings / "labelme.conf").write_text(
        "[General]\nsettingsVersion=1\n\n[window]\nposition=@Point(0 0)\nsize=@Size(1280 876)\n"
    )
    (folder / ".labelmerc").write_text("labels: [of, another, project]\nauto_save: false\nwith_image_data: true\n")
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config"), "LANG": "C.UTF-8"}
