"""Code blocks of the documentation, for tests that run them."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def python_blocks(page: str) -> list[tuple[str, str]]:
    """(title, code) of every python block of ``docs/PAGE``; the title is empty where the block has none."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r'^```python(?: title="([^"]+)")?\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)


def titled(page: str) -> dict[str, str]:
    """Title -> code of the blocks that have a title."""
    return {title: code for title, code in python_blocks(page) if title}
