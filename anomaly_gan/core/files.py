"""Writing files so that a reader sees the old or the new bytes, never half of them."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from .errors import EnvironmentFailure

PRIVATE = frozenset({".safetensors", ".pt", ".ckpt", ".onnx", ".sqlite", ".token"})
"""What only its owner may read, by suffix: trained nets, checkpoints, ratings and tokens."""


@contextlib.contextmanager
def atomic_path(path: Path, private: bool = False, prefix: str = ".tmp-") -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success fsync it and rename it over ``path``.

    ``private``: readable by its owner alone, as what ends in :data:`PRIVATE` is anyway. ``prefix``: how the temporary
    name begins.

    Raises:
        EnvironmentFailure: the disk is full, or the folder cannot be written; the old file stays as it was.
    """
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o600 if private or path.suffix in PRIVATE else 0o644)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """The folder and its parents, each new one held by its own parent also after a loss of power."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def exchange(one: Path, other: Path) -> None:
    """Two folders of one parent trade names, in one step where the system can (Linux), else in three."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = ctypes.c_int(-100)  # AT_FDCWD
    if not (
        hasattr(libc, "renameat2")
        and libc.renameat2(here, os.fsencode(one), here, os.fsencode(other), ctypes.c_uint(2)) == 0
    ):
        between = other.with_name(f".{other.name}.old")
        other.rename(between)
        one.rename(other)
        between.rename(one)
    sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes, private: bool = False) -> None:
    with atomic_path(path, private) as temporary:
        temporary.write_bytes(content)


def write_one_of_many(path: Path, content: bytes) -> None:
    """As :func:`write_bytes`, but the caller syncs the folder, once for all files in it (:func:`sync_folder`).

    Raises:
        EnvironmentFailure: the disk is full, or the folder cannot be written; the old file stays as it was.
    """
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name[-100:]}")
    try:
        make_folder(path.parent)
        with open(temporary, "wb") as stream:  # noqa: PTH123 - pathlib costs as much as the writing
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


_JSON = json.JSONEncoder(indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
"""JSON as every file of ours has it."""


def write_json(path: Path, value: Any, private: bool = False) -> None:
    """Write JSON with sorted keys and a final newline; NaN and infinity are refused (ValueError). Piece by piece: the
    text of a million annotations takes more memory than they do."""
    with atomic_path(path, private) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_pieces(value))
        stream.write("\n")


def _pieces(value: Any) -> Iterator[str]:
    """The text of a value: a dictionary's lists item by item."""
    if not (type(value) is dict and value and all(type(key) is str for key in value)):
        yield _indented(value, "\n")
        return
    before = "{"
    for key, inner in sorted(value.items()):
        yield f"{before}\n {encode_basestring(key)}: "
        before = ","
        if type(inner) is list and inner:
            for place, item in enumerate(inner):
                yield ("," if place else "[") + "\n  " + _indented(item, "\n  ")
            yield "\n ]"
        else:
            yield _indented(inner, "\n ")
    yield "\n}"


def _indented(value: Any, line: str) -> str:
    """What ``_JSON`` makes of a value, three times as fast: its own encoder in C does not indent."""
    kind, further = type(value), line + " "
    if kind is str:
        return encode_basestring(value)
    if kind is int or (kind is float and math.isfinite(value)):
        return repr(value)
    if kind is list and value:
        return "[" + further + ("," + further).join([_indented(item, further) for item in value]) + line + "]"
    if kind is dict and value and all(type(key) is str for key in value):
        rows = [f"{encode_basestring(key)}: {_indented(inner, further)}" for key, inner in sorted(value.items())]
        return "{" + further + ("," + further).join(rows) + line + "}"
    return _JSON.encode(value).replace("\n", line)


def json_text(value: Any) -> str:
    """What :func:`write_json` writes. NaN and infinity are refused (ValueError)."""
    return "".join(_pieces(value)) + "\n"


def link_file(source: Path, target: Path) -> None:
    """``source`` also as ``target``, which is replaced: a hard link, or a copy where the file system has none.

    Safe, because every write of ours replaces a file: no link changes under its other name.

    Raises:
        FileNotFoundError: there is no ``source``.
    """
    make_folder(target.parent)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


def sha256_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
