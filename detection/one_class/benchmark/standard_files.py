"""The file formats that public image sets come in: npz, idx and the CIFAR batches. No file's code is ever run."""

from __future__ import annotations

import gzip
import io
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.errors import InputError

AGAIN = "fetch the file again"
CIFAR_ROW = 3 * 32 * 32
LARGEST = 1 << 30
"""Bytes: no file of these sets comes near it."""
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError, LookupError)
"""How an archive fails that is cut off, spoilt, encrypted or packed in another way."""


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named arrays of an npz archive, which may hold more.

    Raises:
        InputError: MISSING; FORMAT, cut off, no archive, an array missing, or one of Python objects.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            if any(member.file_size > LARGEST for member in packed.infolist()):
                raise InputError(str(path), "S11", f"unpacks to more than {LARGEST} bytes", AGAIN)
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise InputError(str(path), "FORMAT", f"holds no array {', '.join(missing)}", AGAIN)
            return {name: archive[name] for name in names}
    except FileNotFoundError as error:
        raise InputError(str(path), "MISSING", "no such file", "check data.root") from error
    except (AttributeError, *UNREADABLE) as error:
        raise InputError(
            str(path), "FORMAT", f"not a whole npz archive of plain arrays ({_line(error)})", AGAIN
        ) from error


def read_idx_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images (N, H, W), labels (N,)) uint8 of two idx files, plain or gzip."""
    pixels, numbers = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(numbers):
        raise InputError(str(labels), "FORMAT", f"{len(numbers)} labels for {len(pixels)} images", AGAIN)
    return pixels, numbers.astype(np.int64)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """A uint8 array of an idx file: 0, 0, 8, number of dimensions, their sizes (big-endian), bytes.

    Raises:
        InputError: MISSING or FORMAT, also where bytes are missing or left over.
    """
    content = _bytes(path)
    head = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < head:
        raise InputError(str(path), "FORMAT", f"no idx file of {dimensions} dimensions", AGAIN)
    shape = tuple(int(size) for size in np.frombuffer(content[4:head], ">u4"))
    wanted = 1
    for size in shape:
        wanted *= size
    if len(content) - head != wanted:
        raise InputError(str(path), "FORMAT", f"{len(content) - head} bytes of data, its head says {wanted}", AGAIN)
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix != ".gz":
            content = path.read_bytes()
        else:
            with gzip.open(path) as stream:
                content = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise InputError(str(path), "MISSING", "no such file", "check data.root") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), "FORMAT", f"cannot be read whole ({_line(error)})", AGAIN) from error
    if len(content) > LARGEST:
        raise InputError(str(path), "FORMAT", "is larger than 1 GiB", "check what lies there")
    return content


def read_cifar_batches(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """((N, 3, 32, 32) uint8 RGB, labels (N,)) of CIFAR-10 batches in the Python version.

    Raises:
        InputError: MISSING; FORMAT, not a batch, or one that names anything but arrays and plain values.
    """
    parts = [_cifar_batch(path) for path in paths]
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def _cifar_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _PlainUnpickler(io.BytesIO(_bytes(path)), encoding="bytes").load()
        fields = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        images, labels = fields["data"].array(), np.array(fields["labels"], np.int64)
        if images.shape != (len(labels), CIFAR_ROW):
            raise ValueError(f"data {list(images.shape)} for {len(labels)} labels")
    except InputError:
        raise
    except Exception as error:  # the pickle format gives no bound on what a broken file raises
        raise InputError(str(path), "FORMAT", f"not a CIFAR-10 batch ({_line(error)})", AGAIN) from error
    return images.reshape(-1, 3, 32, 32), labels


class _Stored:
    """A pickled array as it stands in the file: nothing of numpy's is called with the file's values."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """(rows, columns) uint8."""
        _, shape, kind, by_columns, content = self.state
        if not isinstance(kind, _Kind) or kind.code not in (b"u1", "u1") or not isinstance(content, bytes):
            raise ValueError("data are not bytes")
        rows, columns = (int(size) for size in shape)
        if rows < 1 or columns < 1 or rows * columns != len(content):
            raise ValueError(f"{len(content)} bytes for {rows} x {columns}")
        return np.frombuffer(content, np.uint8).reshape((rows, columns), order="F" if by_columns else "C")


class _Kind:
    """A pickled dtype: its code alone."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass


def _stored(*_: Any) -> _Stored:
    return _Stored()


def _latin(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes as Python 3 writes them in the old pickle protocols."""
    return str(text).encode("latin1")


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _stored,
    ("numpy._core.multiarray", "_reconstruct"): _stored,
    ("numpy", "ndarray"): _Stored,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _latin,
}


class _PlainUnpickler(pickle.Unpickler):
    """Knows a few harmless names, gives stand-ins of this module for them, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no batch needs")
        return KNOWN[module, name]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
