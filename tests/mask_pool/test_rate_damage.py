"""Only corruption is called damage; looking merges nothing; what the message says to restore holds every rating."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomaly_gan.core.errors import EnvironmentFailure, InputError
from mask_pool.rating.store import NAME, Event, Store, Unavailable
from mask_pool.rating.store_reading import newest_rows
from mask_pool.scoring.ratings import RatedMask

MASK = RatedMask("000.json", 0, "crack", "ab" * 32)


def grade(rater: int, key: str, value: float, mask: RatedMask) -> Event:
    return Event(key, rater, "drawings", mask, "grade", "shape", value)


def fill(folder: Path, ratings: int = 40) -> Store:
    store = Store(folder, busy_seconds=0.1)
    store.enter("Ann", "s" * 22)
    masks = [RatedMask("x.json", number, "crack", "c") for number in range(ratings)]
    store.take_up(iter([("Ann", "drawings", mask, "shape", float(mask.shape % 11)) for mask in masks]))
    return store


def killed(folder: Path, first: int, more: int) -> None:
    """Ratings by a process that is killed: they stand in the -wal alone."""
    code = (
        "import os, sys; from pathlib import Path; from mask_pool.rating.store import *\n"
        "from mask_pool.scoring.ratings import RatedMask\n"
        "store = Store(Path(sys.argv[1])); rater = store.enter('Ann', 's' * 22)\n"
        "for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):\n"
        "    mask = RatedMask('x.json', number, 'crack', 'c')\n"
        "    store.append(Event(f'k{number}', rater, 'drawings', mask, 'grade', 'shape', 7.0))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(first), str(more)], check=False)
    assert done.returncode == -9


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(f"{NAME}*") if not path.name.endswith("-shm")}


def test_restoring_by_the_messages_own_words_loses_nothing(tmp_path: Path) -> None:
    store = fill(tmp_path, 400)
    store.backup(3)
    store.close()
    killed(tmp_path, 400, 5)
    assert (tmp_path / f"{NAME}-wal").stat().st_size > 0
    content = bytearray((tmp_path / NAME).read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 8192] = os.urandom(8192)  # pages that the -wal does not hold anew
    (tmp_path / NAME).write_bytes(content)
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match=r"F12: damaged .*nothing was changed: move it and its -wal aside") as refusal:
        Store(tmp_path)
    assert bytes_of(tmp_path) == before, "looking at a damaged store merges nothing into it"
    aside = tmp_path / "aside"
    aside.mkdir()
    for name in before:
        shutil.move(tmp_path / name, aside / name)
    (tmp_path / f"{NAME}-shm").unlink(missing_ok=True)
    rescued = Path(str(refusal.value).partition("and copy ")[2].partition(" there")[0])
    shutil.copyfile(rescued, tmp_path / NAME)
    store = Store(tmp_path)
    rows = newest_rows(store.path)
    assert len(rows) == 405 and [row["grade"] for row in rows if row["shape"] >= 400] == [7.0] * 5
    assert store.enter("Ann", "s" * 22) == 1, "the same rater, by the same secret"
    store.close()


def test_where_the_file_itself_is_lost_the_newest_backup_is_the_copy(tmp_path: Path) -> None:
    store = fill(tmp_path)
    store.backup(3)
    store.close()
    (tmp_path / NAME).write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(InputError, match="holds the 40 ratings"):
        newest_rows(tmp_path / NAME)


def test_what_stood_in_the_wal_alone_is_kept_before_it_is_merged(tmp_path: Path) -> None:
    fill(tmp_path).close()
    killed(tmp_path, 40, 5)
    before = bytes_of(tmp_path)
    Store(tmp_path).close()
    kept = tmp_path / "backups" / "unmerged"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert len(newest_rows(tmp_path / NAME)) == 45 and not list(tmp_path.glob(".tmp-*"))


def test_a_locked_store_is_not_called_damaged(tmp_path: Path) -> None:
    fill(tmp_path).close()
    with sqlite3.connect(tmp_path / NAME, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in (lambda: Store(tmp_path, busy_seconds=0.05), lambda: take(tmp_path)):
            with pytest.raises(EnvironmentFailure) as refusal:
                use()
            assert "damaged" not in str(refusal.value) and "\n" not in str(refusal.value)
            assert refusal.value.exit_code == 4
        other.execute("ROLLBACK")
    other.close()
    Store(tmp_path).close()


def take(folder: Path) -> None:
    store = Store(folder, busy_seconds=0.05)
    try:
        store.take_up(iter([("Ann", "drawings", MASK, "shape", 3.0)]))
    finally:
        store.close()


@pytest.mark.parametrize("code", ["SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"])
def test_what_cannot_be_opened_is_not_called_damaged(tmp_path: Path, monkeypatch, code: str) -> None:
    fill(tmp_path).close()

    def refuse(*_, **__):
        error = sqlite3.OperationalError(f"as with {code}")
        error.sqlite_errorcode = getattr(sqlite3, code) | 256  # extended codes carry more above the first byte
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("mask_pool.rating.store._connect", refuse)
        with pytest.raises(EnvironmentFailure, match=f"cannot be used now .as with {code}.*as they were"):
            Store(tmp_path)
        patch.setattr("mask_pool.rating.store.sqlite3.connect", refuse)
        with pytest.raises(EnvironmentFailure, match="cannot be used now"):
            newest_rows(tmp_path / NAME)
    store = Store(tmp_path)
    assert len(newest_rows(store.path)) == 40
    store.close()


def test_a_store_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path).close()
    with sqlite3.connect(tmp_path / NAME) as newer:
        newer.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
        newer.execute("DROP INDEX slots")
    newer.close()
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match=r"FORMAT: was written by another version \(schema 2\)"):
        Store(tmp_path)
    assert bytes_of(tmp_path) == before


def test_backups_run_while_the_server_works_on_count_and_on_time(tmp_path: Path) -> None:
    store = fill(tmp_path, 1)
    store.keep(5, every=10, minutes=60)
    rater = store.enter("Ann", "s" * 22)
    for number in range(10):
        store.append(grade(rater, f"m{number}", 5, mask=RatedMask("y.json", number, "crack", "c")))
    assert rows_in_newest_backup(tmp_path) == 11
    store._keeper.close()
    store.keep(5, every=1000, minutes=0.002)
    store.append(grade(rater, "late", 5, mask=RatedMask("z.json", 1, "crack", "c")))
    assert rows_in_newest_backup(tmp_path, 12) == 12
    store.close()


def rows_in_newest_backup(folder: Path, wanted: int = 11) -> int:
    for _ in range(200):
        copies = sorted((folder / "backups").glob("ratings-*.sqlite"))
        if copies and int(copies[-1].stem.partition("-")[2]) >= wanted:
            return len(newest_rows(copies[-1]))
        time.sleep(0.05)
    raise AssertionError("no backup")


def test_a_locked_database_refuses_a_write_in_one_line(tmp_path: Path) -> None:
    store = fill(tmp_path, 1)
    with sqlite3.connect(tmp_path / NAME, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="nothing was written, try again") as refusal:
            store.take_up(iter([("Ann", "drawings", MASK, "shape", 3.0)]))
        other.execute("ROLLBACK")
    other.close()
    assert isinstance(refusal.value, EnvironmentFailure)
    store.close()
