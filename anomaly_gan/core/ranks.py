"""Processes of one training that ``torchrun`` started, on one machine or on several.

The first one is what a process alone would be: it holds the folders and speaks. The others compute beside it.
"""

from __future__ import annotations

import os


def launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def follows() -> bool:
    """Whether it is another than the first one."""
    return launched() and os.environ["RANK"] != "0"


def shared_by() -> tuple[int, int]:
    """(processes in all, processes on this machine)."""
    return int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
