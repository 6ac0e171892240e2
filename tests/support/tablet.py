"""A page of ours in a real browser, on a screen with touch."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@contextlib.contextmanager
def tablet(width: int, height: int, patience_ms: int = 30_000) -> Iterator[tuple[Any, list[str]]]:
    """(page, faults): a page of that size, and whatever its scripts throw."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": width, "height": height}, has_touch=True).new_page()
        page.set_default_timeout(patience_ms)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page, faults
        browser.close()


def enter(page: Any, link: str, name: str = "Ann") -> None:
    """Open the link, and begin under a name."""
    page.goto(link)
    page.wait_for_selector("#entry:not([hidden])")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
