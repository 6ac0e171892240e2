"""kill -9 at the moments of every verb that have ever been lost: while its marker is made, and around its end.

`make kill-sweep` tries every event of every verb; here are the first and the last ones, and of verbs that train only
the first: whether what is left is still theirs.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from full_disk import failing
from kills import in_fork, in_memory, strike, tree, undisturbed
from small_verbs import PASTED, Verb, copied, small_verbs, without_heavy_nets, write_source

MARKER = range(1, 6)
"""The events in which ``started.json`` is made, and those right after."""
WHOLE = (
    "ingest",
    "generate@copy_paste",
    "gate@copy_paste",
    "export@copy_paste",
    "export --format labelme",
    "export --shards",
    "pool export-scores",
    "detect eval",
    "detect predict",
    "one-class score",
    "one-class recalibrate",
)
TRAINED = ("pool", "detect train", "one-class train")
"""Their whole work is done once, here; a fork of a process that has trained cannot train."""


@dataclass(frozen=True)
class Base:
    """``before``: for each verb the folder as the verbs before it leave it."""

    memory: Path
    verbs: dict[str, Verb]
    before: dict[str, Path]
    number: Iterator[int]

    def fresh(self, name: str) -> Path:
        return copied(self.before[name], self.memory / f"try-{next(self.number)}")


@pytest.fixture(scope="module")
def base() -> Iterator[Base]:
    with in_memory() as memory, pytest.MonkeyPatch.context() as patched:
        without_heavy_nets(patched.setattr)
        source, home = write_source(memory / "in" / "source"), memory / "base"
        home.mkdir()
        table = {verb.name: verb for verb in small_verbs(source, **PASTED)}
        before = {}
        for name, verb in table.items():
            if name in (*WHOLE, *TRAINED):
                before[name] = copied(home, memory / f"before-{len(before)}")
                verb.work(home)
        yield Base(memory, table, before, itertools.count())


@pytest.mark.parametrize("name", WHOLE)
def test_killed_while_its_marker_is_made_or_at_its_end_the_same_command_ends_with_the_same_bytes(base, name, tmp_path):
    verb, log = base.verbs[name], tmp_path / "said"
    whole = undisturbed(verb.work, lambda: base.fresh(name), log)
    assert not isinstance(whole, str), log.read_text()
    heavy = name.startswith(("gate", "detect", "one-class"))
    moments = [2, 4, whole.events - 1] if heavy else [2, 3, 4, whole.events - 2, whole.events]
    found = [strike(verb.work, lambda: base.fresh(name), whole, at, log=log) for at in moments]
    assert [words for words in found if words] == [], log.read_text()


@pytest.mark.parametrize("name", (*WHOLE, *TRAINED))
def test_without_space_or_on_a_read_only_disk_it_ends_with_4_and_harms_nothing(base, name):
    for number, at in ((errno.ENOSPC, 2), (errno.EROFS, 1), (errno.EIO, 3)):
        folder = base.fresh(name)
        before = tree(folder)
        assert failing(lambda folder=folder: base.verbs[name].work(folder), folder, at, number) == 4, (number, at)
        after = tree(folder)
        assert {file: after.get(file) for file in before} == before, (number, at)


@pytest.mark.parametrize("name", TRAINED)
def test_killed_while_its_marker_is_made_the_folder_is_still_its_own(base, name, tmp_path):
    verb, log = base.verbs[name], tmp_path / "said"
    for at in MARKER:
        folder = base.fresh(name)
        assert in_fork(lambda folder=folder: verb.work(folder), folder, at, log=log)[0] == 137
        assert in_fork(lambda folder=folder: verb.work(folder), folder, 1, log=log)[0] == 137, log.read_text()


def test_a_one_class_training_cut_off_right_after_its_model_ends_with_the_same_bytes(base, monkeypatch):
    """Its card was missing, and the checkpoint beside it stayed."""
    work, whole, folder = (
        base.verbs["one-class train"].work,
        base.fresh("one-class train"),
        base.fresh("one-class train"),
    )
    work(whole)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("detection.one_class.inspection.checkpoint.write_card", stop)
        with pytest.raises(KeyboardInterrupt):
            work(folder)
    assert (folder / "model" / "model.json").is_file() and not (folder / "model" / "manifest.json").is_file()
    work(folder)
    assert tree(folder) == tree(whole)
