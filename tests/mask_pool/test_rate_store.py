"""The store of ratings: nothing is lost, doubled or changed."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anomaly_gan.core.errors import EnvironmentFailure, InputError
from mask_pool.rating.store import NAME, Conflict, Event, Forbidden, Store, Unavailable
from mask_pool.rating.store_files import network_filesystem
from mask_pool.rating.store_reading import newest_rows
from mask_pool.scoring.ratings import RatedMask

MASK = RatedMask("000.json", 0, "crack", "ab" * 32)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store(tmp_path / "rate", busy_seconds=0.1)
    yield opened
    opened.close()


def grade(rater: int, key: str, value: float | None, expects: str = "", **more) -> Event:
    return Event(
        key,
        rater,
        "drawings",
        more.pop("mask", MASK),
        more.pop("kind", "grade"),
        more.pop("criterion", "shape"),
        value,
        expects=expects,
        **more,
    )


def test_the_same_event_is_stored_once(store: Store) -> None:
    rater = store.enter("Ann", "s" * 22)
    first, again = store.append(grade(rater, "k1", 7)), store.append(grade(rater, "k1", 7))
    assert (first["fresh"], again["fresh"], first["seq"]) == (True, False, again["seq"])
    assert len(store.state(rater, "drawings")) == 1
    with pytest.raises(Conflict):
        store.append(grade(rater, "k1", 8))


def test_a_stale_tab_is_told_what_counts(store: Store) -> None:
    rater = store.enter("Ann", "s" * 22)
    store.append(grade(rater, "k1", 7))
    with pytest.raises(Conflict) as refusal:
        store.append(grade(rater, "k2", 3))
    assert refusal.value.current is not None and refusal.value.current["grade"] == 7
    store.append(grade(rater, "k3", 3, expects="k1"))
    assert store.state(rater, "drawings")[0]["grade"] == 3


def test_undo_appends_and_brings_back_what_was_before(store: Store) -> None:
    rater = store.enter("Ann", "s" * 22)
    store.append(grade(rater, "k1", 7))
    store.append(grade(rater, "k2", 3, expects="k1"))
    assert store.append(grade(rater, "u2", None, expects="k2", kind="undo", undoes="k2"))["grade"] == 7
    assert store.append(grade(rater, "u1", None, expects="u2", kind="undo", undoes="k1"))["grade"] is None
    with sqlite3.connect(store.path) as reader:
        assert [row[0] for row in reader.execute("SELECT kind FROM ratings ORDER BY seq")] == [
            "grade",
            "grade",
            "undo",
            "undo",
        ]
    reader.close()


def test_nothing_can_be_changed_or_deleted(store: Store) -> None:
    store.append(grade(store.enter("Ann", "s" * 22), "k1", 7))
    for statement in ("UPDATE ratings SET grade = 1", "DELETE FROM ratings"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store._writer.execute(statement)


def test_another_raters_work_is_out_of_reach(store: Store) -> None:
    ann, bob = store.enter("Ann", "a" * 22), store.enter("Bob", "b" * 22)
    store.append(grade(ann, "k1", 7))
    with pytest.raises(Forbidden):
        store.append(grade(bob, "k1", 7))
    with pytest.raises(Forbidden):
        store.append(grade(bob, "u1", None, kind="undo", undoes="k1"))
    with pytest.raises(Forbidden):
        store.authorise(ann, "b" * 22)
    with pytest.raises(Forbidden):
        store.enter("ANN", "b" * 22)
    store.append(grade(bob, "k2", 2))
    assert {(row["rater"], row["grade"]) for row in newest_rows(store.path)} == {("Ann", 7), ("Bob", 2)}


def test_sixteen_threads_lose_and_double_nothing(store: Store) -> None:
    raters = [store.enter(f"R{number}", "s" * 22) for number in range(16)]

    def rate(rater: int) -> None:
        for number in range(25):
            event = grade(rater, f"{rater}-{number}", number % 11, mask=RatedMask("x.json", number, "crack", "c"))
            store.append(event)
            store.append(event)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(rate, raters))
    assert len(newest_rows(store.path)) == 16 * 25
    assert store._writer.execute("SELECT count(*) FROM ratings").fetchone()[0] == 16 * 25


def test_a_kill_between_commit_and_reply_leaves_the_rating(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from mask_pool.rating.store import *\n"
        "from mask_pool.scoring.ratings import RatedMask\n"
        "store = Store(Path(sys.argv[1])); rater = store.enter('Ann', 's' * 22)\n"
        "store.append(Event('k1', rater, 'drawings', RatedMask('000.json', 0, 'crack', 'ab' * 32), 'grade', "
        "'shape', 7.0)); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    store = Store(tmp_path)
    again = store.append(grade(store.enter("Ann", "s" * 22), "k1", 7.0))
    assert again["fresh"] is False and again["grade"] == 7
    store.close()


def test_a_locked_full_or_read_only_database_is_said_to_be_unavailable(store: Store) -> None:
    rater = store.enter("Ann", "s" * 22)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        store.append(grade(rater, "k1", 7))
    other.execute("ROLLBACK")
    other.close()
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable):
        for number in range(500):
            store.append(grade(rater, f"f{number}", 1, mask=RatedMask("x" * 500, number, "crack", "c")))
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store._writer.execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable):
        store.append(grade(rater, "k1", 7))
    store._writer.execute("PRAGMA query_only = 0")
    assert store.append(grade(rater, "k1", 7))["fresh"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rater = store.enter("Ann", "s" * 22)
    for number in range(200):
        store.append(grade(rater, f"k{number}", 5, mask=RatedMask("x.json", number, "crack", "c")))
    store.close()
    content = bytearray((tmp_path / NAME).read_bytes())
    content[4096 : 5 * 4096] = os.urandom(4 * 4096)
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match="F12"):
        Store(tmp_path)
    (tmp_path / NAME).write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(InputError, match="F12"):
        Store(tmp_path)


def test_a_backup_holds_everything_and_old_ones_go(store: Store) -> None:
    assert store.backup(2) is None
    rater, last = store.enter("Ann", "s" * 22), ""
    for number in range(4):
        store.append(grade(rater, f"k{number}", number, expects=last))
        last, path = f"k{number}", store.backup(2)
    assert path is not None and newest_rows(path)[0]["grade"] == 3
    assert len(list(path.parent.iterdir())) == 2
    restored = store.folder.parent / "restored"
    restored.mkdir()
    (restored / NAME).write_bytes(path.read_bytes())
    second = Store(restored)
    assert second.append(grade(rater, "k9", 9, expects="k3"))["fresh"]
    second.close()


def test_one_server_a_run_and_none_on_a_network(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFailure, match="another process"):
        Store(store.folder)
    mounts = (
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / /mnt/plant\\040share rw shared:1 - nfs4 host:/x rw\n"
        "3 2 0:9 / /mnt/plant\\040share/local rw - xfs /dev/sdb rw\n"
    )
    assert network_filesystem(Path("/mnt/plant share/run"), mounts) == "nfs4"
    assert network_filesystem(Path("/mnt/plant share/local/run"), mounts) is None
    assert network_filesystem(Path("/mnt/plant shares"), mounts) is None
    monkeypatch.setattr("mask_pool.rating.store.network_filesystem", lambda folder: "cifs")
    with pytest.raises(EnvironmentFailure, match="network"):
        Store(tmp_path / "elsewhere")


def test_what_a_killed_server_left_half_written_goes_at_the_next_start(tmp_path: Path) -> None:
    half, looked_at = (
        [tmp_path / name for name in (".tmp-a.json", ".tmp-b.jsonl", ".tmp-c")],
        tmp_path / ".tmp-r.sqlite",
    )
    for path in (*half, looked_at, tmp_path / "criteria.json"):
        path.write_bytes(b"")
    Store(tmp_path).close()
    assert not any(path.exists() for path in half) and looked_at.exists() and (tmp_path / "criteria.json").exists()


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "rate")
        store.append(grade(store.enter("Ann", "s" * 22), "k1", 7))
        store.backup(1)
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "rate").rglob("*")}
        store.close()
    finally:
        os.umask(before)
    assert len(modes) >= 5
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items()), json.dumps(
        {str(path): oct(mode) for path, mode in modes.items()}
    )
