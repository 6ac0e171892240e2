"""Processor time of every test and file, of all its processes: what the suite costs where other work disturbs clocks.

``OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 0 -p processor_time tests/mask_pool``, from ``tests/support``'s
parent folder on; the summary follows pytest's own. Fixtures count for the test that needs them first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

SHOWN = 25
spent: Counter[str] = Counter()


def used() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = used()
    result = yield
    spent[item.nodeid] += used() - before
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    files: Counter[str] = Counter()
    for name, seconds in spent.items():
        files[name.partition("::")[0]] += seconds
    for title, counted in (("file", files), ("test", spent)):
        terminalreporter.section(f"processor time by {title}: {sum(counted.values()):.0f} s")
        for name, seconds in counted.most_common(SHOWN):
            terminalreporter.write_line(f"{seconds:8.2f} s  {name}")
