"""How every verb writes a folder: lock first, then touch; what is finished stays until its successor is whole.

A folder is begun by ``started.json`` and finished by ``manifest.json`` (or by whatever file its verb writes last).
Unfinished work of the same marker is gone on with. Where a finished product of another marker lies there, the new one
grows beside it (``.NAME.next``) and takes its place in one step. Temporary files of a killed process are removed at the
next start, and never make a folder somebody else's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import EnvironmentFailure, InputError, RunBusy
from .files import atomic_path, exchange, json_text, link_file, make_folder, sha256_bytes, sync_folder, write_json
from .manifest import MANIFEST, SCHEMA, STARTED, TEMPORARY, is_fresh, list_products
from .ranks import follows
from .versions import refuse_mixture, unlike, versions

CELLS = "cells"
"""A folder of costly pieces that carry keys of their own: it outlives a change of the stage's key, as where an arm
or a seed is added, and the stage itself takes from it what still holds."""
REJECTS = "rejects.jsonl"


@contextlib.contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Hold the run folder: a second process is refused. The lock dies with its process. What a killed one left half
    written beside the stages is removed.

    Raises:
        RunBusy: another process works in this folder.
    """
    if follows():  # the first process holds it for all
        yield
        return
    with _held(run / ".lock", f"{run}: another process is working in this run folder"):
        _remove_beside(run, TEMPORARY)
        yield


@contextlib.contextmanager
def file_alone(path: Path) -> Iterator[Path]:
    """As :func:`atomic_path`, for a file that a verb writes into somebody's folder: one process at a time, and what a
    killed one left of it goes at the next start.

    Raises:
        RunBusy: another process writes this file.
    """
    with folder_lock(path):
        prefix = f"{TEMPORARY}{path.name[-100:]}-"
        _remove_beside(path.parent, prefix)
        with atomic_path(path, prefix=prefix) as temporary:
            yield temporary


def write_text_alone(path: Path, content: str) -> None:
    """A table in somebody's folder, as :func:`file_alone` writes.

    Raises:
        RunBusy: another process writes this file.
    """
    with file_alone(path) as temporary:
        temporary.write_bytes(content.encode("utf-8"))


def write_json_alone(path: Path, value: object) -> None:
    """As :func:`write_text_alone`, a file of figures."""
    write_text_alone(path, json_text(value))


def _remove_beside(folder: Path, prefix: str) -> None:
    for item in os.scandir(folder):
        if item.name.startswith(prefix) and item.is_file(follow_symlinks=False):
            Path(item.path).unlink(missing_ok=True)


@contextlib.contextmanager
def folder_lock(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold one folder that a verb writes, by a file beside it that goes when the work ends.

    ``wait``: seconds to wait for a short holder.

    Raises:
        RunBusy: another process writes this folder.
    """
    path = folder.parent / f".{folder.name}.lock"
    with _held(path, f"{folder}: another process is writing this folder", wait, remove=True):
        yield


@contextlib.contextmanager
def _held(path: Path, busy: str, wait: float = 0.0, remove: bool = False) -> Iterator[None]:
    until = time.monotonic() + wait
    while (stream := _try(path)) is None:
        if time.monotonic() >= until:
            raise RunBusy(busy)
        time.sleep(0.02)
    try:
        yield
    finally:
        if remove:  # while it is held: whoever opened it meanwhile sees that it is no longer this file
            path.unlink(missing_ok=True)
        os.close(stream)


def _try(path: Path) -> int | None:
    """The lock file's handle, locked; None where another process holds it."""
    while True:
        try:
            make_folder(path.parent)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(handle).st_ino == path.stat().st_ino:
                    return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            os.close(handle)
            raise EnvironmentFailure(f"{path}: cannot be locked here: {error.strerror or error}") from error
        os.close(handle)  # its last holder removed it: take the new one


def next_to(folder: Path) -> Path:
    """Where the successor of a finished folder grows."""
    return folder.parent / f".{folder.name}.next"


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What ``started.json`` says; None where there is none, or half of one."""
    try:
        content = json.loads((folder / STARTED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def begun(folder: Path, started: Mapping[str, object], last: str = MANIFEST) -> bool:
    """True where the folder holds unfinished work of this marker."""
    return _same(read_marker(folder), started) and not (folder / last).exists()


def _same(there: Mapping[str, object] | None, started: Mapping[str, object]) -> bool:
    return there is not None and all(
        there.get(name, value if name == "stage" else None) == value for name, value in started.items()
    )


def refuse_foreign(folder: Path, last: str = MANIFEST) -> None:
    """Stop where a folder holds what no verb of ours wrote. Our own leftovers are none of it.

    Raises:
        InputError: J6.
    """
    if folder.is_symlink() and not folder.exists():
        raise InputError(str(folder), "J6", "is a link that leads nowhere", "choose another output folder")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(str(folder), "J6", "is a file", "choose an empty or new folder")
    if (folder / STARTED).is_file() or (folder / last).is_file():
        return
    if any(item.name not in (".lock", REJECTS) and not item.name.startswith(TEMPORARY) for item in _listed(folder)):
        raise InputError(
            str(folder), "J6", "the output folder holds files that no stage wrote", "choose an empty or new folder"
        )


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be read: {error.strerror or error}") from error


def open_folder(folder: Path, started: Mapping[str, object], last: str = MANIFEST, shared: bool = False) -> Path:
    """Where the work of ``started`` goes, made ready: ``folder``, or its place beside where a finished product lies.

    Call it under the folder's lock, after :func:`mend`; :func:`close_folder` ends the work. ``shared``: other
    processes may be at the same work, whose temporary files are not ours to remove.

    Raises:
        InputError: J6 the folder holds other files; G8 the work was begun under other versions.
    """
    refuse_foreign(folder, last)
    owner = (read_marker(folder) or {}).get("stage", started.get("stage"))
    if started.get("stage", owner) != owner:
        raise InputError(str(folder), "J6", f"holds the work of `{owner}`", "choose an empty or new folder")
    place = next_to(folder) if (folder / last).is_file() else folder
    try:
        resumed = begun(place, started, last)
        if resumed:
            refuse_mixture(str(place), (read_marker(place) or {}).get("versions"))
        elif place.exists():
            _empty(place)
        make_folder(place)
        if not (resumed and shared):
            remove_temporary(place)
        if (place / CELLS).is_symlink():  # as an earlier version left it
            (place / CELLS).unlink()
        if place != folder and (folder / CELLS).is_dir() and not (place / CELLS).is_dir():
            _link_cells(folder / CELLS, place)
        if not resumed:
            write_json(place / STARTED, {**started, "versions": versions()})
    except OSError as error:
        raise EnvironmentFailure(f"{place}: cannot be made ready: {error.strerror or error}") from error
    return place


def _link_cells(cells: Path, place: Path) -> None:
    """The finished product's costly pieces also in its successor, under names of their own: nothing that becomes of
    them there changes the product. Claims stay where they are."""
    whole = place / f"{TEMPORARY}{CELLS}"
    make_folder(whole)
    for path in sorted(cells.rglob("*")):
        if path.is_file() and path.suffix != ".claim" and not path.name.startswith(TEMPORARY):
            link_file(path, whole / path.relative_to(cells))
    for folder in sorted({path.parent for path in whole.rglob("*")} | {whole}):
        sync_folder(folder)
    whole.rename(place / CELLS)
    sync_folder(place)


def made_by(place: Path) -> dict[str, dict[str, str]]:
    """``versions`` for the product's manifest; also those that began it, where work of others was gone on with."""
    before = (read_marker(place) or {}).get("versions") or versions()
    return {"versions": versions(), **({"begun_by": before} if unlike(before, versions()) else {})}


def close_folder(place: Path, folder: Path) -> None:
    """The successor takes the finished product's place in one step: readers see the one or the other."""
    if place == folder:
        return
    try:
        exchange(place, folder)
        _remove_old(place, folder)
    except OSError as error:
        raise EnvironmentFailure(f"{folder}: cannot be replaced: {error.strerror or error}") from error


def _old(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def _remove_old(place: Path, folder: Path) -> None:
    """The predecessor gets its own name first: half of it must not look like a successor half made."""
    shutil.rmtree(_old(folder), ignore_errors=True)
    place.rename(_old(folder))
    shutil.rmtree(_old(folder))


def mend(folder: Path, key: str, last: str = MANIFEST) -> None:
    """End or take back what a kill between the steps of an exchange left, under the folder's lock.

    A finished folder beside another is a successor not yet exchanged or a predecessor not yet removed: the one under
    ``key`` stays, or else the one in place.
    """
    place = next_to(folder)
    if _old(folder).is_dir() and (folder.exists() or place.exists()):
        shutil.rmtree(_old(folder), ignore_errors=True)
    if not place.is_dir():
        return
    if not folder.exists():
        if (place / last).is_file():
            place.rename(folder)
        return
    if _key_in(place / last) == key and _key_in(folder / last) != key:
        close_folder(place, folder)
        return
    if (place / last).is_file():
        _remove_old(place, folder)


def _key_in(path: Path) -> str | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content.get("key") if isinstance(content, dict) else None


def leftovers(folder: Path, last: str = MANIFEST) -> bool:
    """True where an exchange was cut off: cheap to ask of a fresh folder."""
    return (next_to(folder) / last).is_file() or _old(folder).is_dir()


def _empty(folder: Path) -> None:
    """Remove what a folder of ours holds, but for costly pieces. Its marker is made void first and stays, so that a
    kill in between leaves a folder that we still know as ours, and as nobody's unfinished work."""
    write_json(folder / STARTED, {})
    for path in _listed(folder):
        if path.is_symlink() or not path.is_dir():
            if path.name not in (STARTED, ".lock"):
                path.unlink()
        elif path.name != CELLS:
            shutil.rmtree(path)


@dataclass(frozen=True)
class Work:
    """``place``: where to write. ``fresh``: the folder is finished under this marker, and nothing is to be done."""

    place: Path
    fresh: bool


@contextlib.contextmanager
def work_folder(
    folder: Path, verb: str, started: Mapping[str, object], fixed: Sequence[str] | None = None
) -> Iterator[Work]:
    """The folder of a verb that is no stage of a run: locked, made ready, and on success finished by its manifest.

    ``started``: everything that the bytes depend on; its hash is the manifest's key. ``fixed``: what must be equal for
    the folder to be worked in again; None: all of it, so that nothing finished is ever replaced.

    Raises:
        RunBusy: another process writes it.
        InputError: J6 the folder holds the work of something else; else as :func:`open_folder`.
    """
    key = key_of(verb, started)
    started = {"stage": verb, **started}
    home = Path(os.path.realpath(folder))
    with folder_lock(home):
        mend(home, key)
        if is_fresh(home, key):
            yield Work(folder, True)
            return
        refuse_foreign(home)
        _refuse_other(home, verb, started, started if fixed is None else fixed)
        place = open_folder(home, started)
        try:
            yield Work(folder if place == home else place, False)
        except InputError:
            _forget(place)
            raise
        finish(place, home, {"stage": verb, "key": key})


def _forget(place: Path) -> None:
    """Input that was refused before anything was made must not keep the folder from other input."""
    with contextlib.suppress(OSError):
        if {path.name for path in place.iterdir()} <= {STARTED, REJECTS}:
            (place / STARTED).unlink()
            if not any(place.iterdir()):
                place.rmdir()


def _refuse_other(folder: Path, verb: str, started: Mapping[str, object], fixed: Iterable[str]) -> None:
    there = read_marker(folder)
    if not there or set(there) <= {"versions"}:
        return
    unlike = [name for name in fixed if name != "stage" and there.get(name) != started[name]]
    if unlike:
        raise InputError(
            str(folder), "J6", f"holds another `{verb}` (other {', '.join(unlike)})", "choose an empty or new folder"
        )


def key_of(verb: str, started: Mapping[str, object]) -> str:
    return sha256_bytes(json.dumps([verb, SCHEMA, {**started}], sort_keys=True).encode())


def finish(place: Path, folder: Path, about: dict[str, object]) -> None:
    """Write the manifest, which makes ``place`` a finished product, and put it where it belongs."""
    write_json(place / MANIFEST, {**about, "schema": SCHEMA, **made_by(place), "files": list_products(place)})
    close_folder(place, folder)


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left anywhere in the folder."""
    for leftover in sorted(folder.rglob(f"{TEMPORARY}*")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
