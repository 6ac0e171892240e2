"""What every written data set has beside its labels: copied photographs, and a table of what the format cannot say."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

from ...core.dataset import Dataset, ImageRecord
from ...core.errors import InputError
from ...core.files import sha256_bytes, write_bytes, write_text
from ...core.tables import row_writer

SIDE_FILE = "photographs.csv"
COLUMNS = ("file", "group", "split", "source", "sha256", "provenance")


def copy_photo(dataset: Dataset, image: ImageRecord, folder: Path, stem: str | None = None) -> str:
    """Copy the photograph under ``folder`` as ``stem`` with its own suffix; returns its path below ``folder``.

    Raises:
        InputError: A24 it is missing or has changed since it was recorded.
    """
    source = dataset.path_of(image)
    content = source.read_bytes() if source.is_file() else b""
    if not content or sha256_bytes(content) != image.sha256:
        raise InputError(str(source), "A24", "missing, or changed since it was recorded", "run the stage before again")
    name = image.file_name if stem is None else stem + PurePosixPath(image.file_name).suffix
    write_bytes(folder / name, content)
    return name


def write_side_file(dataset: Dataset, out: Path, files: dict[str, str]) -> None:
    """``photographs.csv``: object, split, source and provenance of every photograph, under its new name ``files``.

    It is a groups file too: ``--groups photographs.csv`` keeps objects on one side of a split.
    """
    stream = io.StringIO()
    write = row_writer(stream)
    write(COLUMNS)
    for image in dataset.images:
        provenance = image.extra.get("provenance")
        text = json.dumps(provenance, sort_keys=True, ensure_ascii=False) if provenance else ""
        write([files[image.file_name], image.group_id, image.split, image.source, image.sha256, text])
    write_text(out / SIDE_FILE, stream.getvalue())


def flat_stems(dataset: Dataset) -> dict[str, str]:
    """A stem without folders for every photograph, unlike all others whatever their case."""
    taken: set[str] = set()
    stems: dict[str, str] = {}
    for image in dataset.images:
        base = stem = "_".join(PurePosixPath(image.file_name).with_suffix("").parts)
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem.casefold())
        stems[image.file_name] = stem
    return stems
