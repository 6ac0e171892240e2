"""What lies under a source folder: regular files only, never outside it, never something that blocks."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from .ledger import Ledger, refuse

PHOTO_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".tif", ".tiff"})
"""Names taken for photographs unseen; other files are looked at, and count by their content."""
REFUSED_SUFFIXES = frozenset(
    {".eps", ".ps", ".psd", ".fits", ".fit", ".fpx", ".svg", ".pdf", ".heic", ".heif", ".apng", ".ico", ".dcm"}
)
LABELS = frozenset(
    {".json", ".ndjson", ".txt", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".names", ".data", ".npy", ".mat"}
)
"""Of what labels are read from."""
NO_PICTURES = frozenset(
    {
        *(".json", ".txt", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".md", ".html", ".htm", ".log", ".py", ".zip"),
        *(".gz", ".tar", ".7z", ".rar", ".npy", ".npz", ".mat", ".xlsx", ".xls", ".doc", ".docx", ".db", ".sqlite"),
        *(".ini", ".cfg", ".toml", ".sh", ".bat", ".avi", ".mp4", ".cache", ".pt", ".pth", ".onnx", ".names", ".data"),
    }
)
MAGIC = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|BM.{4}\0\0\0\0|II[*+]\0|MM\0[*+]|RIFF....WEBP|GIF8[79]a|P[1-6][\s#]"
    rb"|\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51|\x0a[\0-\x05]\x01[\x01\x02\x04\x08]|\x01\xda[\0\x01][\x01\x02]"
    rb"|....ftypavi[fs]",
    re.DOTALL,
)
"""First bytes of the pictures that are read: PNG, JPEG, BMP, TIFF, WebP, GIF, PNM, JPEG 2000, PCX, SGI, AVIF."""
MAX_PHOTO_BYTES = 512 * 2**20
SYSTEM_NAMES = frozenset(
    {
        *("thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "@eadir", "#recycle", "$recycle.bin", "lost+found"),
        "system volume information",
    }
)


@dataclass(frozen=True)
class SourceTree:
    """``root`` (resolved) and the regular files under it, as sorted POSIX paths relative to ``root``.

    ``label_file``: the one file with all labels, where the source was given as that file.
    """

    root: Path
    files: list[str] = field(default_factory=list)
    label_file: str | None = None
    pictures: frozenset[str] = frozenset()
    """Files of other names whose content is a picture."""

    def photos(self) -> list[str]:
        return [name for name in self.files if self.is_photo(name)]

    def is_photo(self, name: str) -> bool:
        return suffix_of(name) in PHOTO_SUFFIXES or name in self.pictures

    def head(self, name: str, count: int = 64) -> bytes:
        """The first bytes of a listed file; none where it cannot be read."""
        return _head(f"{self.root}/{name}", count)

    def path(self, name: str) -> Path:
        return self.root / name

    def read_photo(self, name: str) -> bytes:
        """The bytes of a photograph, of at most 512 MiB; raises as ``read``."""
        return self.read(name, MAX_PHOTO_BYTES)

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a listed file.

        Raises:
            InputError: A21 not readable, A24 vanished, A17 larger than ``limit`` bytes.
        """
        path = f"{self.root}/{name}"
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO put there since the listing must not hang us
            with os.fdopen(handle, "rb") as stream:
                state = os.fstat(stream.fileno())
                if not stat.S_ISREG(state.st_mode):
                    raise refuse(name, "A21", "is not a regular file", "remove it")
                if state.st_size > limit:
                    raise refuse(name, "A17", f"has {state.st_size} bytes, more than the {limit} allowed", "remove it")
                return stream.read()
        except FileNotFoundError as error:
            raise refuse(name, "A24", "vanished while it was being read", "run ingest again") from error
        except OSError as error:
            raise refuse(name, "A21", f"cannot be read ({error.strerror})", "make it readable or remove it") from error


def _head(path: str, count: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(handle, count) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
        finally:
            os.close(handle)
    except OSError:
        return b""


def ignore_others(tree: SourceTree, ledger: Ledger, used: Container[str] = ()) -> None:
    """Count the files that are no photographs, by suffix, but for label files that are ``used``."""
    for name in tree.files:
        if not tree.is_photo(name) and name not in used:
            ledger.ignore("not a photograph", name)


def suffix_of(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def is_inside(root: Path, path: Path) -> bool:
    """Whether ``path``, all links followed, lies under ``root`` (which is resolved already)."""
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def list_tree(root: Path, ledger: Ledger) -> SourceTree:
    """List the files under ``root``; what cannot be a file of a data set is refused or ignored, and counted.

    Raises:
        InputError: the folder does not exist; A22 two names that differ only in Unicode form.
    """
    if not root.is_dir():
        raise InputError(str(root), "MISSING", "no such folder", "give the folder of the photographs")
    root = root.resolve()
    files: list[str] = []
    pictures: set[str] = set()
    pending = [""]
    while pending:
        above = pending.pop()
        try:
            entries = sorted(os.scandir(root / above), key=lambda entry: entry.name)
        except OSError as error:
            ledger.found += 1
            name = above.rstrip("/") or "."
            ledger.reject(name, refuse(name, "A21", f"folder cannot be read ({error.strerror})", "make it readable"))
            continue
        for entry in entries:
            name = above + entry.name
            if entry.name.lower() in SYSTEM_NAMES or entry.name.startswith("."):
                ledger.ignore("system file", name)
            elif entry.is_dir(follow_symlinks=False) and suffix_of(name) not in PHOTO_SUFFIXES:
                pending.append(f"{name}/")
            elif (refusal := _refusal(root, name, entry)) is not None:
                ledger.found += 1
                ledger.reject(name, refusal)
            else:
                files.append(name)
                if suffix_of(name) not in PHOTO_SUFFIXES | NO_PICTURES and MAGIC.match(_head(entry.path, 32)):
                    pictures.add(name)
    files.sort()
    _stop_at_twins(files)
    return SourceTree(root, files, pictures=frozenset(pictures))


def _refusal(root: Path, name: str, entry: os.DirEntry[str]) -> InputError | None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return refuse(name, "A22", "the name is not UTF-8", "rename the file")
    if entry.is_symlink():
        if not is_inside(root, Path(entry.path)):
            return refuse(name, "A21", "is a link that is broken or leads outside the source", "copy the file here")
        if entry.is_dir():
            return refuse(name, "A21", "is a link to a folder", "copy the folder here")
    if entry.is_dir():
        return refuse(name, "A21", "is a folder with the name of a photograph", "rename the folder")
    if not entry.is_file():
        return refuse(name, "A21", "is not a regular file (pipe, socket or device)", "remove it")
    if suffix_of(name) in REFUSED_SUFFIXES:
        return refuse(name, "A20", f"{suffix_of(name)} pictures are not read", "convert it to PNG")
    return None


def _stop_at_twins(files: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in files:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            raise refuse(
                name,
                "A22",
                f"has the same letters as {other!a}, in another Unicode form ({name!a})",
                "rename one of the two",
            )
