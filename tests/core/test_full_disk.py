"""A full or failing disk at every I/O event: exit code 4, the product before stays whole, the same command goes on."""

from __future__ import annotations

import errno
import itertools

import pytest
from full_disk import sweep_failures
from kills import in_memory
from letters import stage


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_stage_made_anew_survives_a_failure_at_every_event(number):
    names = itertools.count()
    with in_memory() as memory:

        def fresh():
            folder = memory / str(next(names))
            folder.mkdir()
            stage(folder, "old", count=4)
            return folder

        assert sweep_failures(lambda folder: stage(folder, "new"), fresh, "letters", number) == []
