"""Reading JSON of ours: what a file holds is compared with the type that its reader declares, before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InputError
from .manifest import read_product

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
REMEDY = "restore it, or delete it and run the command that writes it"
UNLIKE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""How content fails that is unlike what its reader takes it for."""


def read_as(path: Path, kind: type[T], remedy: str = REMEDY) -> T:
    """The whole file as ``kind``: a dataclass, or ``list[...]`` and ``dict[str, ...]`` of such and of plain values.
    What ``kind`` does not name is left out.

    Raises:
        InputError: A13, a product has changed; FORMAT, it is no JSON, or a field is missing or of another kind;
            MISSING.
        OSError: it cannot be read.
    """
    with understood(path, remedy):
        found: T = _adapter(kind).validate_json(read_product(path), strict=True)
        return found


def lines_as(path: Path, kind: type[T], remedy: str = REMEDY) -> list[T]:
    """Each line of a ``.jsonl`` file as ``kind``. Raises as :func:`read_as`, naming the line."""
    found = []
    with understood(path, remedy):
        content = read_product(path)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            with understood(f"{path}[line {number}]", remedy):
                found.append(_adapter(kind).validate_json(line, strict=True))
    return found


def note_as(path: Path, kind: type[T]) -> T | None:
    """A log, or a note that another process may be removing: None where it cannot be read as ``kind``."""
    try:
        return read_as(path, kind)
    except (InputError, OSError):
        return None


@contextmanager
def understood(where: Path | str, remedy: str = REMEDY) -> Iterator[None]:
    """Around what is made of a file's content, and may fail for what stands in it alone.

    Raises:
        InputError: FORMAT, naming the field; MISSING, there is no such file.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(str(error.filename or where), "MISSING", "no such file", remedy) from error
    except Exception as error:
        if not isinstance(error, UNLIKE) and type(error).__name__ != "SafetensorError":
            raise
        raise InputError(str(where), "FORMAT", f"damaged: {_reason(error)}", remedy) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    words = " ".join(str(error).split())[:160]
    if not hasattr(error, "errors"):
        return words
    first: dict[str, Any] = error.errors()[0]  # of pydantic
    words = first["msg"].replace("Input should", "should").replace("Field required", "is missing")
    return f"{'.'.join(map(str, first['loc']))} {words}".replace("Invalid JSON", "no JSON").strip()


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""By the type; each takes milliseconds to build."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
