"""Where ratings are kept: one SQLite file, only ever appended to.

Every grade, undo, comment and skip is a row with a sequence number. A *slot* is (rater, what is rated, mask with its
content hash, criterion); the newest row of a slot is what counts, and ``grade`` NULL means "none". Nothing is
updated or deleted (triggers refuse it), so a clock set back, a second tab or a retry can double or lose nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from anomaly_gan.core.errors import EnvironmentFailure
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.manifest import TEMPORARY

from ..scoring.ratings import RatedMask
from .keeper import Keeper
from .store_check import TABLES, failure, inspect
from .store_files import claim_file, make_private, network_filesystem
from .store_reading import SCHEMA

log = logging.getLogger(__name__)

NAME = "ratings.sqlite"
SLOT = "rater = ? AND what = ? AND file = ? AND shape = ? AND sha256 = ? AND criterion = ?"


class Unavailable(EnvironmentFailure):
    """The database is locked, full or read-only: nothing was written, try again."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(f"{path}: locked, full or read-only ({error}): nothing was written, try again")


class Conflict(Exception):
    """What the client believes is out of date; ``current`` is the newest row of the slot, None where there is none."""

    def __init__(self, reason: str, current: dict[str, object] | None = None) -> None:
        super().__init__(reason)
        self.current = current


class Forbidden(Exception):
    """Another rater's work."""


@dataclass(frozen=True)
class Event:
    """One thing a rater did. ``key`` makes it happen once; ``expects`` is the key of the slot's newest row as the
    client knows it ("" for none). ``kind`` is grade, undo, comment or skip; an undo names the row in ``undoes``."""

    key: str
    rater: int
    what: str
    mask: RatedMask
    kind: str
    criterion: str
    grade: float | None = None
    comment: str | None = None
    expects: str = ""
    undoes: str = ""

    @property
    def slot(self) -> tuple[Any, ...]:
        return (self.rater, self.what, self.mask.file, self.mask.shape, self.mask.sha256, self.criterion)

    @property
    def fingerprint(self) -> str:
        content = [*self.slot, self.kind, self.grade, self.comment, self.expects, self.undoes]
        return sha256_bytes(json.dumps(content).encode())


class InForce(NamedTuple):
    """A grade that counts, and whose it is (``rater``, by name); ``at`` in UTC, None before times were kept."""

    file: str
    shape: int
    sha256: str
    label: str
    rater: str
    rater_id: int
    grade: float
    comment: str | None
    key: str
    seq: int
    at: str | None


class Store:
    """The ratings of one run, held by one process at a time.

    Raises:
        EnvironmentFailure: another process serves this run; the folder lies on a network filesystem (F11).
        InputError: F12 the file is damaged, or is of another version.
    """

    def __init__(self, folder: Path, busy_seconds: float = 5.0) -> None:
        self.folder, self.path = folder, folder / NAME
        make_private(folder)
        kind = network_filesystem(folder)
        if kind is not None:
            raise EnvironmentFailure(
                f"{folder}: lies on a network filesystem ({kind}), where SQLite cannot keep "
                "ratings safe: copy the run to a local disk"
            )
        self._lock_file = _hold(folder / ".lock")
        for leftover in folder.glob(f"{TEMPORARY}*"):  # of a killed server; databases are looked at by others, too
            if leftover.is_file() and leftover.suffix in ("", ".json", ".jsonl"):
                leftover.unlink()
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._keeper: Keeper | None = None
        # one connection writes, under WAL and with a sync for every grade; readers do not wait for it
        try:
            claim_file(self.path)
            inspect(self.path, SCHEMA)
            self._writer = _connect(self.path, busy_seconds)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._prepare()
            self._reader = _connect(self.path, busy_seconds)
        except sqlite3.Error as error:
            self._lock_file.close()
            raise failure(self.path, error) from error
        except BaseException:
            self._lock_file.close()
            raise
        self.salt, self.id = self._meta("salt"), self._meta("id")

    def _prepare(self) -> None:
        self._writer.executescript(TABLES)
        with self._transaction() as database:
            for key, value in (("schema", SCHEMA), ("salt", secrets.token_hex(16)), ("id", secrets.token_hex(8))):
                database.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))

    def _meta(self, key: str) -> str:
        return self._writer.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE by the one writer; all or nothing."""
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                log.error("ratings cannot be written: %s", error)
                raise Unavailable(self.path, error) from error

    def enter(self, name: str, secret: str) -> int:
        """The id of the rater of that name, made if new; the same name and secret give the same id again.

        Raises:
            Forbidden: the name belongs to someone with another secret.
        """
        hashed = sha256_bytes(secret.encode())
        with self._transaction() as database:
            row = database.execute(
                "SELECT id, secret_sha256 FROM raters WHERE folded = ?", (name.casefold(),)
            ).fetchone()
            if row is None:
                return int(
                    database.execute(
                        "INSERT INTO raters(name, folded, secret_sha256) VALUES (?, ?, ?)",
                        (name, name.casefold(), hashed),
                    ).lastrowid
                    or 0
                )
        if not secrets.compare_digest(row[1], hashed):
            raise Forbidden("this name is taken")
        return int(row[0])

    def authorise(self, rater: int, secret: str) -> str:
        """The rater's name.

        Raises:
            Forbidden: that is not the rater's secret.
        """
        with self._read() as database:
            row = database.execute("SELECT secret_sha256, name FROM raters WHERE id = ?", (rater,)).fetchone()
        if row is None or not secrets.compare_digest(row[0], sha256_bytes(secret.encode())):
            log.warning("refused: not the secret of rater %d", rater)
            raise Forbidden("not your ratings")
        return str(row[1])

    def append(self, event: Event) -> dict[str, object]:
        """Write the event, durably, once; the same event again returns the row that stands.

        Returns:
            ``seq``, ``key``, ``grade`` (what now counts in the slot) and ``fresh`` (False for a repetition).

        Raises:
            Conflict: the key was used for something else, or another tab has been at this slot.
            Forbidden: the key, or the row to undo, is another rater's.
            Unavailable: locked, full or read-only; nothing was written.
        """
        with self._transaction() as database:
            known = database.execute(
                "SELECT seq, rater, fingerprint, grade FROM ratings WHERE key = ?", (event.key,)
            ).fetchone()
            if known is not None:
                return _repeated(event, known)
            row = database.execute(
                f"SELECT seq, key, grade, comment FROM ratings WHERE {SLOT} ORDER BY seq DESC LIMIT 1", event.slot
            ).fetchone()
            newest = None if row is None else {"seq": row[0], "key": row[1], "grade": row[2], "comment": row[3]}
            if (newest["key"] if newest else "") != event.expects:
                raise Conflict("graded elsewhere meanwhile", newest)
            grade = _before(database, event) if event.kind == "undo" else event.grade
            seq = _insert(database, event, grade, newest["seq"] if newest else None, "web")
            now = datetime.now(UTC).isoformat(timespec="seconds")  # to be read by people: order is by seq alone
            database.execute("INSERT INTO times VALUES (?, ?)", (seq, now))
        if self._keeper is not None:
            self._keeper.rated()
        return {"seq": seq, "key": event.key, "grade": grade, "fresh": True}

    def take_up(self, rows: Iterator[tuple[str, str, RatedMask, str, float]]) -> dict[str, int]:
        """Grades (rater, what, mask, criterion, grade) of a sheet, all or none; a grade given on the page is kept."""
        counts = {"added": 0, "changed": 0, "unchanged": 0, "kept_from_page": 0}
        with self._transaction() as database:
            for name, what, mask, criterion, grade in rows:
                database.execute(
                    "INSERT OR IGNORE INTO raters(name, folded, secret_sha256) VALUES (?, ?, '')",
                    (name, name.casefold()),
                )
                rater = database.execute("SELECT id FROM raters WHERE folded = ?", (name.casefold(),)).fetchone()[0]
                event = Event(secrets.token_hex(16), rater, what, mask, "grade", criterion, grade)
                row = database.execute(
                    f"SELECT seq, grade, source FROM ratings WHERE {SLOT} ORDER BY seq DESC LIMIT 1", event.slot
                ).fetchone()
                outcome = (
                    "added"
                    if row is None or row[1] is None
                    else "unchanged"
                    if row[1] == grade
                    else "kept_from_page"
                    if row[2] == "web"
                    else "changed"
                )
                counts[outcome] += 1
                if outcome in {"added", "changed"}:
                    _insert(database, event, grade, row[0] if row else None, "sheet")
        return counts

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading:
            try:
                yield self._reader
            except sqlite3.OperationalError as error:
                log.error("ratings cannot be read: %s", error)
                raise Unavailable(self.path, error) from error

    def state(self, rater: int, what: str) -> list[dict[str, Any]]:
        """The newest row of each of the rater's slots, oldest first: ``names`` below."""
        with self._read() as database:
            rows = database.execute(
                "SELECT file, shape, sha256, criterion, kind, grade, comment, key, max(seq) FROM ratings "
                "WHERE rater = ? AND what = ? GROUP BY file, shape, sha256, criterion ORDER BY max(seq)",
                (rater, what),
            ).fetchall()
        names = ("file", "shape", "sha256", "criterion", "kind", "grade", "comment", "key", "seq")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def in_force(self, what: str) -> list[InForce]:
        """Whoever's grade is the newest of each thing rated, oldest first; a grade that was undone is none."""
        with self._read() as database:
            rows = database.execute(
                "WITH newest AS (SELECT max(seq) AS seq FROM ratings WHERE what = ? "
                "GROUP BY rater, file, shape, sha256, criterion) "
                "SELECT file, shape, sha256, label, name, rater, grade, comment, key, seq, at "
                "FROM newest JOIN ratings USING (seq) JOIN raters ON raters.id = rater LEFT JOIN times USING (seq) "
                "WHERE grade IS NOT NULL ORDER BY seq",
                (what,),
            ).fetchall()
        standing = {row[:3]: InForce(*row) for row in rows}  # a later row takes the earlier's place
        return sorted(standing.values(), key=lambda row: row.seq)

    def backup(self, keep: int) -> Path | None:
        """A whole copy, named by the last sequence number, through VACUUM INTO (the -wal file alone would be lost
        in a plain copy); None where nothing has been rated. The newest ``keep`` copies stay."""
        with self._writing:
            last = self._writer.execute("SELECT max(seq) FROM ratings").fetchone()[0]
            if last is None:
                return None
            folder = self.folder / "backups"
            make_private(folder)
            path, part = folder / f"ratings-{last:09d}.sqlite", folder / ".tmp-backup"
            part.unlink(missing_ok=True)
            claim_file(part)
            try:
                self._writer.execute("VACUUM INTO ?", (str(part),))
                part.replace(path)
            except (sqlite3.OperationalError, OSError) as error:
                part.unlink(missing_ok=True)
                raise EnvironmentFailure(f"{path}: the backup cannot be written: {error}") from error
        for old in sorted(folder.glob("ratings-*.sqlite"))[:-keep]:
            old.unlink()
        return path

    def keep(self, backups: int, every: int, minutes: float) -> None:
        """Back up after every N ratings, and after M minutes with any, while the store is open."""
        self._keeper = Keeper(partial(self.backup, backups), every, minutes)

    def close(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()
            self._lock_file.close()


def _repeated(event: Event, known: tuple[Any, ...]) -> dict[str, object]:
    seq, rater, fingerprint, grade = known
    if rater != event.rater:
        raise Forbidden("not your ratings")
    if fingerprint != event.fingerprint:
        raise Conflict("this key stands for something else")
    return {"seq": seq, "key": event.key, "grade": grade, "fresh": False}


def _before(database: sqlite3.Connection, event: Event) -> float | None:
    """The grade that counted before the row which ``event`` undoes."""
    row = database.execute(
        "SELECT undone.rater, undone.what, undone.file, undone.shape, undone.sha256, undone.criterion, earlier.grade "
        "FROM ratings AS undone LEFT JOIN ratings AS earlier ON earlier.seq = undone.replaces WHERE undone.key = ?",
        (event.undoes,),
    ).fetchone()
    if row is not None and row[0] != event.rater:
        log.warning("refused: rater %d would undo a rating of rater %d", event.rater, row[0])
        raise Forbidden("not your rating")
    if row is None or tuple(row[:6]) != event.slot:
        raise Conflict("nothing to undo")
    return row[6]


def _insert(database: sqlite3.Connection, event: Event, grade: float | None, replaces: int | None, source: str) -> int:
    mask = event.mask
    return int(
        database.execute(
            "INSERT INTO ratings(key, fingerprint, rater, what, file, shape, label, sha256, kind, criterion, grade, "
            "comment, replaces, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.key,
                event.fingerprint,
                event.rater,
                event.what,
                mask.file,
                mask.shape,
                mask.label,
                mask.sha256,
                event.kind,
                event.criterion,
                grade,
                event.comment,
                replaces,
                source,
            ),
        ).lastrowid
        or 0
    )


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def _hold(path: Path) -> Any:
    """An exclusive lock on the store that dies with its process."""
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise EnvironmentFailure(f"{path.parent}: another process is serving these ratings: stop it first") from error
    return stream
