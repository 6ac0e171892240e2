"""A store that is locked, read-only, full, unreadable, damaged or of a newer version, walked through: every use of it
says what is the matter in one line, changes nothing, and works again once that is mended."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from others import in_fork, open_folder, small_disk

from mask_pool.rating.store import NAME, Store
from mask_pool.rating.store_reading import newest_rows
from mask_pool.scoring.ratings import RatedMask

RATINGS = 30


def mask(number: int) -> RatedMask:
    return RatedMask("x.json", number, "crack", "c" * 64)


def serve(folder: Path) -> int:
    """Open the store as the page does, rate once, and close it."""
    store = Store(folder, busy_seconds=0.05)
    try:
        store.enter("Ann", "s" * 22)
        return store.take_up(iter([("Ann", "drawings", mask(999), "shape", 1.0)]))["added"]
    finally:
        store.close()


def take_up_sheet(folder: Path) -> int:
    """As ``pool import-scores``: a long sheet."""
    store = Store(folder, busy_seconds=0.05)
    try:
        rows = (("Bob", "drawings", mask(number), "shape", 2.0) for number in range(2000))
        return store.take_up(rows)["added"]
    finally:
        store.close()


def read(folder: Path) -> int:
    """As ``pool export-scores`` and ``pool evaluate``."""
    return len(newest_rows(folder / NAME))


USES: dict[str, Callable[[Path], int]] = {"serve": serve, "take up a sheet": take_up_sheet, "read": read}


def filled(folder: Path) -> Path:
    store = Store(folder)
    store.enter("Ann", "s" * 22)
    store.take_up(iter([("Ann", "drawings", mask(number), "shape", float(number % 11)) for number in range(RATINGS)]))
    store.backup(3)
    store.close()
    return folder


def held(folder: Path) -> dict[str, bytes]:
    """The files that hold ratings; not the lock, nor SQLite's index of its -wal, nor an empty -wal."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name.startswith(NAME) and not path.name.endswith("-shm") and path.stat().st_size
    }


@contextlib.contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o777
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(folder / NAME, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE meta SET value = value")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def open_to_others(folder: Path) -> Iterator[None]:
    """Whoever is not root needs to get at it first."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    yield


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as home:
        yield filled(home / "rate")


def outcome(use: str, folder: Path, **how) -> tuple[int, str]:
    code, text = in_fork(lambda: USES[use](folder), **how)
    assert "Traceback" not in text and "\n" not in text, text
    return code, text


@pytest.mark.parametrize("use", list(USES))
@pytest.mark.parametrize("fault", ["unreadable", "read-only file", "read-only folder"])
def test_what_permission_forbids_is_said_and_nothing_is_changed(folder: Path, fault: str, use: str) -> None:
    with open_to_others(folder):
        before = held(folder)
        target = folder if fault == "read-only folder" else folder / NAME
        with mode(target, {"unreadable": 0o000, "read-only file": 0o444, "read-only folder": 0o555}[fault]):
            code, text = outcome(use, folder, as_nobody=True)
        if use == "read" and fault != "unreadable":
            assert (code, text) == (0, str(RATINGS)), "reading needs no writing"
        else:
            assert (code == 4 and NAME in text) or str(folder) in text, (code, text)
            assert "damaged" not in text and "backups" not in text
        assert held(folder) == before
    assert read(folder) == RATINGS and serve(folder) == 1


@pytest.mark.parametrize("use", ["serve", "take up a sheet"])
def test_a_locked_store_waits_and_then_says_so(folder: Path, use: str) -> None:
    before = held(folder)[NAME]
    with locked(folder):
        code, text = outcome(use, folder)
    assert code == 4 and "damaged" not in text and re.search("lock", text)
    assert held(folder)[NAME] == before and read(folder) == RATINGS and serve(folder) == 1


@pytest.mark.parametrize("use", ["serve", "take up a sheet"])
@pytest.mark.parametrize("room", [0, 4096, 60_000, 160_000])
def test_where_files_cannot_grow_all_or_nothing_is_written(folder: Path, use: str, room: int) -> None:
    code, text = outcome(use, folder, file_bytes=room)
    assert code in (0, 4) and "damaged" not in text and (code == 4 or room > 50_000)
    added = {"serve": 1, "take up a sheet": 2000}[use] if code == 0 else 0
    assert read(folder) == RATINGS + added
    assert serve(folder) == (0 if use == "serve" and code == 0 else 1), "there is room again"


@pytest.mark.parametrize("use", ["serve", "take up a sheet"])
def test_on_a_full_disk_all_or_nothing_is_written(use: str) -> None:
    """A real disk of a few kilobytes; where none may be mounted, the test above is its nearest."""
    with small_disk(400) as disk:
        if disk is None:
            pytest.skip("no disk can be mounted here")
        folder = filled(disk / "rate")
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as stream:
            while True:
                stream.write(b"x" * 1024)
                stream.flush()
        code, text = outcome(use, folder)
        assert code == 4 and "damaged" not in text, text
        assert not list(folder.glob("**/.tmp-*"))
        filler.unlink()
        assert read(folder) == RATINGS and serve(folder) == 1


def spoil(folder: Path) -> None:
    content = bytearray((folder / NAME).read_bytes())
    content[8192:16384] = os.urandom(8192)
    (folder / NAME).write_bytes(content)


@pytest.mark.parametrize("use", list(USES))
def test_damage_is_named_and_the_copy_it_names_has_every_rating(folder: Path, use: str) -> None:
    spoil(folder)
    before = held(folder)
    code, text = outcome(use, folder)
    assert code == 2 and "F12: damaged" in text and held(folder) == before
    named = re.search(r"copy (\S+\.sqlite) there", text)
    assert named is not None, text
    aside = folder / "aside"
    aside.mkdir()
    for path in folder.glob(f"{NAME}*"):
        shutil.move(path, aside / path.name)
    shutil.copyfile(named[1], folder / NAME)
    assert read(folder) == RATINGS and serve(folder) == 1
    assert {path.name: path.read_bytes() for path in aside.iterdir() if path.name in before} == before


@pytest.mark.parametrize("use", list(USES))
def test_a_newer_version_is_named_and_left_alone(folder: Path, use: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / NAME)) as newer:
        newer.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
        newer.commit()
    before = held(folder)
    code, text = outcome(use, folder)
    assert code == 2 and "FORMAT: was written by another version (schema 2)" in text and held(folder) == before


def test_where_the_copy_cannot_be_written_no_older_one_is_advised(folder: Path) -> None:
    """The newest backup may lack ratings that can still be read: first there must be room for the copy."""
    assert serve(folder) == 1
    spoil(folder)
    shutil.move(folder / "backups", folder / "kept")
    (folder / "backups").write_bytes(b"in the way")
    for use in USES:
        code, text = outcome(use, folder)
        assert code == 2 and "F12: damaged" in text and "free the disk" in text and "newest copy" not in text
    (folder / "backups").unlink()
    shutil.move(folder / "kept", folder / "backups")
    code, text = outcome("read", folder)
    assert code == 2 and f"holds the {RATINGS + 1} ratings" in text
