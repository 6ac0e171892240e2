"""What a finished folder holds: ``manifest.json``, written last, lists every product with size and SHA-256."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from .errors import InputError
from .files import sha256_bytes, sha256_file

SCHEMA = 19
"""Of stage keys and manifests. Raised where a default changes its value, or where the same configuration and inputs
give other bytes: all finished stages are then stale."""

MANIFEST, STARTED = "manifest.json", "started.json"
BOOKKEEPING = frozenset({MANIFEST, STARTED})
TEMPORARY = ".tmp-"
"""How every half-written file of ours begins."""
LOGS = "logs"
"""A folder for what may differ from run to run (wall times); no manifest lists it."""


class Product(TypedDict):
    """One file of a finished folder, by its path from there."""

    path: str
    size: int
    sha256: str


class Manifest(TypedDict):
    """What a finished folder holds, made from what, by which versions."""

    key: str
    files: list[Product]
    stage: NotRequired[str]
    schema: NotRequired[int]
    seed: NotRequired[int]
    inputs: NotRequired[dict[str, str]]
    versions: NotRequired[dict[str, str]]
    begun_by: NotRequired[dict[str, str]]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished stage, or None where the stage is unfinished or absent.

    Raises:
        InputError: FORMAT, it is not one of ours; SCHEMA, a newer version of this program wrote it.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), "FORMAT", "not JSON", "delete the folder and run again") from error
    if not _is_manifest(content):
        raise InputError(str(path), "FORMAT", "not a manifest of this project", "delete the folder and run again")
    schema = content.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(
            str(path),
            "SCHEMA",
            f"has schema {schema}, this version reads up to {SCHEMA}",
            "use the version that made it",
        )
    return content


def _is_manifest(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get("key"), str)
        and isinstance(content.get("files"), list)
        and all(isinstance(item, dict) and _is_product(item) for item in content["files"])
        and all(isinstance(content.get(name, {}), dict) for name in ("inputs", "versions", "begun_by"))
    )


def _is_product(item: dict[str, object]) -> bool:
    return (
        isinstance(item.get("path"), str) and isinstance(item.get("size"), int) and isinstance(item.get("sha256"), str)
    )


def finished_key(folder: Path) -> str:
    """The key of a finished stage folder.

    Raises:
        InputError: the stage has not finished.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(str(folder), "UNFINISHED", "this stage has no manifest", "run it first")
    return manifest["key"]


def list_products(folder: Path) -> list[Product]:
    """(path, size, sha256) of every file that counts, in order of the paths."""
    names: list[tuple[str, ...]] = []
    for above, folders, files in os.walk(folder):
        parts = Path(above).relative_to(folder).parts
        folders[:] = [name for name in folders if name != LOGS]
        names += [
            (*parts, name)
            for name in files
            if name not in (*BOOKKEEPING, ".lock", LOGS) and not name.startswith(TEMPORARY)
        ]
    return [
        {"path": "/".join(parts), "size": path.stat().st_size, "sha256": sha256_file(path)}
        for parts in sorted(names)
        if (path := folder.joinpath(*parts)).is_file()
    ]


def is_fresh(folder: Path, key: str) -> bool:
    """True where the folder is finished under this key and still holds every file at its recorded size."""
    manifest = read_manifest(folder)
    if manifest is None or manifest["key"] != key:
        return False
    return all(_size(folder / item["path"]) == item["size"] for item in manifest["files"])


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def damage(folder: Path) -> list[str]:
    """What is no longer as the manifest says, byte for byte: ``path: missing`` or ``path: changed``."""
    manifest, found = read_manifest(folder), []
    for item in manifest["files"] if manifest else []:
        path = folder / item["path"]
        if not path.is_file():
            found.append(f"{item['path']}: missing")
        elif _size(path) != item["size"] or sha256_file(path) != item["sha256"]:
            found.append(f"{item['path']}: changed")
    return found


def read_product(path: Path) -> bytes:
    """The bytes of a product, as its stage wrote them; a file of no finished stage is read as it is.

    Raises:
        InputError: A13, its bytes are others.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    check_product(path, sha256_bytes(content))
    return content


def check_product(path: Path, sha256: str | None = None) -> None:
    """Stop where a product is no longer the file that its stage wrote; a file of no finished stage passes.

    ``sha256``: of the bytes at hand, where they have been hashed already.

    Raises:
        InputError: A13, its bytes are others.
    """
    folder = next((parent for parent in path.parents[:3] if (parent / MANIFEST).is_file()), None)
    if folder is None or (manifest := read_manifest(folder)) is None:
        return
    name = path.relative_to(folder).as_posix()
    told = next((item["sha256"] for item in manifest["files"] if item["path"] == name), None)
    if told is not None and told != (sha256 or sha256_file(path)):
        raise InputError(
            str(path), "A13", "has changed since its stage wrote it (another SHA-256)", f"delete {folder} and run again"
        )
