"""A full or failing disk at every I/O event: exit code 4, the product before stays whole, the same command goes on."""

from __future__ import annotations

import errno
import itertools

import pytest
from full_disk import sweep_failures
from kills import in_memory

from anomaly_gan.core.config import Config
from anomaly_gan.core.files import write_text
from anomaly_gan.core.stage import Context, run_stage


class Letters(Config):
    text: str = "a"
    count: int = 3


def write_letters(config, context, out):
    for number in range(config.count):
        write_text(out / "letters" / f"{number}.txt", config.text)
    return {"count": config.count}


def stage(folder, text, count=3):
    run_stage("letters", write_letters, Letters(text=text, count=count), Context(0), folder / "letters")


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
