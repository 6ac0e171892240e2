"""A data set as shards: tar files that WebDataset reads, one COCO file beside each, and one index over all.

For data sets of many photographs, on any storage that fsspec knows (a folder, NFS, ``s3://``, ``gs://`` ...): a
million files in one folder are slow everywhere, a thousand tar files nowhere.

- ``images-00042.tar``: of each photograph ``000000043.png`` (its bytes as they are) and ``000000043.json`` (its record
  and its annotations), in the order of their ids;
- ``images-00042.json``: the same shard as COCO, ids as in the whole;
- ``index.json``: shards with counts, bytes and SHA-256, categories; written last, so that where it is all is there.
  Where a shard has to be written anew, the index goes first;
- ``README.md``: the data set's card.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict, TypeVar, cast

from ..core.cards import CARD
from ..core.dataset import Dataset, ImageRecord
from ..core.errors import ConfigError, InputError
from ..core.files import json_text, sha256_bytes, sha256_file
from ..core.json_files import understood
from ..core.progress import track
from ..core.workfolder import folder_lock
from .writing import data_card

INDEX = "index.json"
ROW = ".row.json"
"""Ends the file that says what an unfinished export has written of a shard."""
PART = ".part"
"""Ends the name of a file that is being handed over."""
T = TypeVar("T")
SHARD = 1000
"""Photographs a shard."""
USE = 'webdataset.WebDataset("images-{00000..N}.tar")    # of each photograph its file and, as JSON, its labels'


class Row(TypedDict):
    """What the index says of one shard; the hashes are of its tar and of its COCO file."""

    name: str
    photographs: int
    annotations: int
    bytes: int
    sha256: str
    coco_sha256: str


class Index(TypedDict):
    """``index.json``."""

    photographs: int
    annotations: int
    categories: list[dict[str, object]]
    info: dict[str, object]
    shards: list[Row]


def write_shards(
    dataset: Dataset, url: str, per_shard: int = SHARD, say: Callable[[str], None] = lambda line: None
) -> Index:
    """Write ``dataset`` under ``url`` (a folder or what fsspec knows); returns the index.

    A shard that is there already, from an earlier call that was cut off, is kept where it holds the same photographs.
    One shard at a time lies on this machine. The same data set gives the same bytes. Shards of a larger data set that
    lay there before go at the end.

    Raises:
        ConfigError: fsspec knows no such storage, or something else lies there.
        InputError: A24 a photograph is missing or has changed since it was ingested or generated.
        RunBusy: another process writes this folder (on this machine's own file systems).
    """
    storage, folder = _storage(url)
    with folder_lock(Path(folder)) if "file" in storage.protocol else contextlib.nullcontext():
        _refuse_others(storage, folder, url)
        index = _write_all(dataset, storage, folder, per_shard, say)
        kept = {f"{row['name']}{end}" for row in index["shards"] for end in (".tar", ".json")} | {INDEX, CARD}
        for path in storage.ls(folder, detail=False):
            if PurePosixPath(path).name not in kept:
                storage.rm_file(path)
    return index


def _write_all(dataset: Dataset, storage: Any, folder: str, per_shard: int, say: Callable[[str], None]) -> Index:
    of_image, earlier = dataset.by_image(), _earlier(storage, folder)
    rows: list[Row] = []
    pieces = [dataset.images[start : start + per_shard] for start in range(0, len(dataset.images), per_shard)]
    for number, images in enumerate(track(pieces, "shards")):
        name = f"images-{number:05d}"
        part = Dataset(
            list(images),
            [annotation for image in images for annotation in of_image.get(image.id, [])],
            dataset.categories,
            dict(dataset.info),
            dataset.folder,
        )
        coco = part.text()
        row = earlier.get(name)
        if row is not None and _whole(storage, folder, row, sha256_bytes(coco.encode())):
            say(f"{name}: kept")
        else:
            # the index of before goes first: it must never stand over shards that are no longer its own
            _forget_index(storage, folder, earlier)
            row = _write(storage, folder, name, part, sha256_bytes(coco.encode()))
            _put(storage, f"{folder}/{name}{ROW}", json.dumps(row, sort_keys=True).encode())
            _put(storage, f"{folder}/{name}.json", coco.encode())
        rows.append(row)
    index: Index = {
        "photographs": len(dataset.images),
        "annotations": len(dataset.annotations),
        "categories": [vars(category) for category in dataset.categories],
        "info": dict(dataset.info),
        "shards": rows,
    }
    card = data_card(dataset, "tar files that WebDataset reads", "each shard's COCO file keeps everything", USE)
    _put(storage, f"{folder}/{CARD}", card.text().encode())
    _put(storage, f"{folder}/{INDEX}", json_text(index).encode())
    return index


def _forget_index(storage: Any, folder: str, earlier: Mapping[str, Row]) -> None:
    """An index must not stand over shards of another data set; what it says of single shards is kept beside them."""
    if storage.exists(f"{folder}/{INDEX}"):
        for name, row in earlier.items():
            _put(storage, f"{folder}/{name}{ROW}", json.dumps(row, sort_keys=True).encode())
        storage.rm_file(f"{folder}/{INDEX}")


def read_index(url: str) -> Index:
    """``index.json`` under ``url``.

    Raises:
        InputError: MISSING, no finished export is there.
    """
    storage, folder = _storage(url)
    path = f"{folder}/{INDEX}"
    if not storage.exists(path):
        raise InputError(
            f"{url}/{INDEX}", "MISSING", "no finished shards are here", "run the same export again: it goes on"
        )
    return _read(storage, path, _index)


def _read(storage: Any, path: str, parse: Callable[[Any], T]) -> T:
    with understood(path, "delete it and run the same export again"):
        return parse(json.loads(storage.cat_file(path)))


def _index(content: Any) -> Index:
    return cast(Index, {**content, "shards": [_row(row) for row in content["shards"]]})


def _row(content: Any) -> Row:
    return cast(Row, {name: content[name] for name in Row.__annotations__})


def verify_shards(url: str) -> Iterator[str]:
    """What is wrong with the shards under ``url``, a line each: missing ones, and bytes that differ from the index."""
    storage, folder = _storage(url)
    for row in read_index(url)["shards"]:
        path = f"{folder}/{row['name']}.tar"
        if not storage.exists(path):
            yield f"{row['name']}.tar: missing"
        elif _sha256(storage, path) != row["sha256"]:
            yield f"{row['name']}.tar: its bytes have changed"
        labels = f"{folder}/{row['name']}.json"
        if not storage.exists(labels):
            yield f"{row['name']}.json: missing"
        elif _sha256(storage, labels) != row["coco_sha256"]:
            yield f"{row['name']}.json: its bytes have changed"


def _storage(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        storage, folder = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--out {url}: fsspec knows no such storage here ({error})") from None
    return storage, folder.rstrip("/")


def _refuse_others(storage: Any, folder: str, url: str) -> None:
    """Raises:
    ConfigError: files lie there that are none of ours.
    """
    if not storage.exists(folder):
        storage.makedirs(folder, exist_ok=True)
        return
    names = {PurePosixPath(path).name for path in storage.ls(folder, detail=False)} - {PurePosixPath(folder).name}
    ours = [f"{name}{end}" for name in (INDEX, CARD) for end in ("", PART)]
    others = sorted(name for name in names if name not in ours and not name.startswith("images-"))
    if others:
        raise ConfigError(f"--out {url}: holds something else than shards ({others[0]}): choose another place")


def _earlier(storage: Any, folder: str) -> dict[str, Row]:
    """Rows of the shards that earlier calls have written, by name: of a whole export, then of one that was cut off."""
    path = f"{folder}/{INDEX}"
    rows = _read(storage, path, _index)["shards"] if storage.exists(path) else []
    rows += [_read(storage, path, _row) for path in storage.glob(f"{folder}/*{ROW}")]
    return {row["name"]: row for row in rows}


def _whole(storage: Any, folder: str, row: Row, digest: str) -> bool:
    """Whether both files of a shard are there, with the photographs and labels of this digest."""
    tar, coco = f"{folder}/{row['name']}.tar", f"{folder}/{row['name']}.json"
    same = row["coco_sha256"] == digest and storage.exists(tar) and storage.size(tar) == row["bytes"]
    return bool(same and storage.exists(coco) and _sha256(storage, coco) == digest)


def _write(storage: Any, folder: str, name: str, part: Dataset, coco_sha256: str) -> Row:
    """Build one shard on this machine, then hand it over."""
    of_image = part.by_image()
    with tempfile.TemporaryDirectory() as scratch:
        local = Path(scratch) / f"{name}.tar"
        with tarfile.open(local, "w", format=tarfile.USTAR_FORMAT) as tar:
            for image in part.images:
                key, suffix = f"{image.id:09d}", part.path_of(image).suffix.lower()
                _add(tar, f"{key}{suffix}", _checked(part, image))
                record = {"image": vars(image), "annotations": [vars(one) for one in of_image.get(image.id, [])]}
                _add(tar, f"{key}.json", json.dumps(record, sort_keys=True, ensure_ascii=False).encode())
        row: Row = {
            "name": name,
            "photographs": len(part.images),
            "annotations": len(part.annotations),
            "bytes": local.stat().st_size,
            "sha256": sha256_file(local),
            "coco_sha256": coco_sha256,
        }
        target = f"{folder}/{name}.tar"
        storage.put_file(str(local), f"{target}{PART}")
        storage.mv(f"{target}{PART}", target)
    return row


def _checked(part: Dataset, image: ImageRecord) -> bytes:
    """The photograph's bytes, once read."""
    path = part.path_of(image)
    content = path.read_bytes() if path.is_file() else b""
    if sha256_bytes(content) != image.sha256:
        raise InputError(str(path), "A24", "missing, or changed since it was written", "run its stage again")
    return content


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """No time, owner or mode of this machine: equal photographs give equal bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _put(storage: Any, path: str, content: bytes) -> None:
    storage.pipe_file(f"{path}{PART}", content)
    storage.mv(f"{path}{PART}", path)


def _sha256(storage: Any, path: str) -> str:
    digest = hashlib.sha256()
    with storage.open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
