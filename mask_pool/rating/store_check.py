"""Looking at a store before it is opened: only corruption is called damage, and nothing is merged or lost by looking.

Opening an SQLite file merges what stands in its ``-wal``, also into a damaged file. So the two are copied first, and
the copy is looked at. Where it is damaged, all that can be read of it and of the newest backup is put together.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from anomaly_gan.core.errors import AnomalyGanError, EnvironmentFailure, InputError

from .store_files import claim_file, make_private

BACKUPS, UNMERGED, RESCUED = "backups", "unmerged", "rescued.sqlite"
CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
TABLES = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS raters(id INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
    secret_sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ratings(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL,
    rater INTEGER NOT NULL REFERENCES raters(id), what TEXT NOT NULL, file TEXT NOT NULL, shape INTEGER NOT NULL,
    label TEXT NOT NULL, sha256 TEXT NOT NULL, kind TEXT NOT NULL, criterion TEXT NOT NULL, grade REAL,
    comment TEXT, replaces INTEGER REFERENCES ratings(seq), source TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS times(seq INTEGER PRIMARY KEY REFERENCES ratings(seq), at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS slots ON ratings(rater, what, file, shape, sha256, criterion, seq);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON ratings BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON ratings BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
ROWS = {"meta": "key, value", "raters": "id, name, folded, secret_sha256", "times": "seq, at"}


class NothingLeft(Exception):
    """Nothing can be read of a damaged store, nor of its backups."""


def failure(path: Path, error: sqlite3.Error) -> AnomalyGanError:
    """What an SQLite error means: damage only where SQLite says so; else a file that cannot be used just now."""
    if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in CORRUPT:
        return damaged(path, str(error))
    return EnvironmentFailure(
        f"{path}: cannot be used now ({' '.join(str(error).split())}): free the disk, the lock or the permission, "
        "then try again; the ratings are as they were"
    )


def damaged(path: Path, reason: str) -> InputError:
    """The refusal, with a copy to restore from that holds everything which can still be read."""
    told = " ".join(reason.split())
    folder = path.parent / BACKUPS
    try:
        rescued, rows = rescue(path)
    except NothingLeft:
        return InputError(
            str(path),
            "F12",
            f"damaged ({told})",
            f"move it and its -wal aside, and put the newest copy from {folder} there",
        )
    except (OSError, sqlite3.Error, AnomalyGanError) as error:
        reason = " ".join(str(error).split())
        return InputError(
            str(path),
            "F12",
            f"damaged ({told}); nothing was changed, and a copy of what can be read cannot be written ({reason})",
            f"free the disk, or let {folder} be written, then try again",
        )
    return InputError(
        str(path),
        "F12",
        f"damaged ({told}); nothing was changed",
        f"move it and its -wal aside, and copy {rescued} there: it holds the {rows} ratings that can still be read",
    )


def inspect(path: Path, schema: str) -> None:
    """Look at a store that is there, on a copy, and keep what stands only in its ``-wal`` before it is merged.

    Raises:
        InputError: F12 damaged; FORMAT of another version.
        EnvironmentFailure: it cannot be read, or the copy cannot be written.
    """
    try:
        if path.stat().st_size == 0:
            return
        with copied(path, path.parent) as copy, contextlib.closing(sqlite3.connect(copy)) as database:
            found = [row[0] for row in database.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise damaged(path, found[0])
            refuse_other_versions(database, path, schema)
        _keep_unmerged(path)
    except sqlite3.Error as error:
        raise failure(path, error) from error
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be looked at: {error.strerror or error}") from error


def refuse_other_versions(database: sqlite3.Connection, path: Path, schema: str) -> None:
    """Raises:
    InputError: FORMAT, the store was written by another version.
    """
    has_meta = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    told = database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() if has_meta else None
    if told is not None and told[0] != schema:
        raise InputError(str(path), "FORMAT", f"was written by another version (schema {told[0]})", "use that version")


def unwritable(error: sqlite3.Error) -> bool:
    """Whether SQLite could not make its own files beside the store, as on a read-only medium."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


@contextlib.contextmanager
def copied(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """The file and its ``-wal`` as they stand, elsewhere: whatever SQLite does there changes nothing here."""
    with tempfile.TemporaryDirectory(prefix=".tmp-check-", dir=folder) as name:
        for suffix in ("", "-wal"):
            if (source := path.with_name(path.name + suffix)).is_file():
                shutil.copyfile(source, Path(name) / (path.name + suffix))
        yield Path(name) / path.name


def _keep_unmerged(path: Path) -> None:
    """After a kill the newest ratings stand in the ``-wal`` alone: keep both files until the next such start."""
    wal = path.with_name(f"{path.name}-wal")
    if not wal.is_file() or wal.stat().st_size == 0:
        return
    folder = path.parent / BACKUPS / UNMERGED
    make_private(folder.parent)
    make_private(folder)
    for source in (wal, path):
        part = folder / f".tmp-{source.name}"
        claim_file(part)
        shutil.copyfile(source, part)
        part.replace(folder / source.name)


def rescue(path: Path) -> tuple[Path, int]:
    """(a new whole store, ratings in it): every row that can be read of the damaged file, its ``-wal`` and the newest
    backup; nothing of theirs is changed."""
    folder = path.parent / BACKUPS
    make_private(folder)
    target = folder / RESCUED
    part = folder / f".tmp-{RESCUED}"
    part.unlink(missing_ok=True)
    claim_file(part)
    backups = sorted(folder.glob("ratings-*.sqlite"))[-1:]
    with contextlib.closing(sqlite3.connect(part)) as rescued, copied(path, folder) as copy:
        rescued.executescript(TABLES)
        for source in (*backups, copy):
            _take(rescued, source)
        rescued.commit()
        rows = rescued.execute("SELECT count(*) FROM ratings").fetchone()[0]
        whole = [row[0] for row in rescued.execute("PRAGMA integrity_check(1)")] == ["ok"]
    if not whole or not rows:
        part.unlink()
        raise NothingLeft
    part.replace(target)
    return target, rows


def _take(rescued: sqlite3.Connection, source: Path) -> None:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(source)) as database:
        for table, columns in ROWS.items():
            with contextlib.suppress(sqlite3.Error):
                for row in database.execute(f"SELECT {columns} FROM {table}"):
                    marks = ", ".join("?" * len(row))
                    rescued.execute(f"INSERT OR IGNORE INTO {table}({columns}) VALUES ({marks})", row)
        last = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ratings'").fetchone()
        for seq in range(1, (last[0] if last else 0) + 1):
            with contextlib.suppress(sqlite3.Error):
                row = database.execute("SELECT * FROM ratings WHERE seq = ?", (seq,)).fetchone()
                if row is not None:
                    rescued.execute(f"INSERT OR IGNORE INTO ratings VALUES ({', '.join('?' * len(row))})", row)
