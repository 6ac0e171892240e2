"""A data set written in one of the formats of the table, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import yaml

from ..core.cards import Card, write_card
from ..core.config import nearest
from ..core.dataset import Dataset
from ..core.errors import ConfigError, EnvironmentFailure
from ..core.files import exchange, make_folder, sha256_bytes, sync_folder, write_text
from ..core.manifest import list_products
from ..core.workfolder import folder_lock, next_to
from .formats.table import FORMATS, writing

MARK = "export.yaml"
"""Says of a folder that it was written here, and what the format could not keep."""


def write_format(dataset: Dataset, name: str, out: Path) -> dict[str, object]:
    """Write ``dataset`` as the format ``name`` into the folder ``out``; returns the counts, and what was lost.

    An earlier export in ``out`` stays until this one is whole, and is then replaced; the same export again does
    nothing.

    Raises:
        ConfigError: no such format; ``out`` holds something else than an export, or one that has been worked on.
        InputError: A24 a photograph is missing or has changed.
        RunBusy: another process writes ``out``.
    """
    if name not in writing():
        known = ", ".join(writing())
        raise ConfigError(f"--format {name}: is not written{nearest(name, writing())}; one of: {known}")
    home = Path(os.path.realpath(out))
    with folder_lock(home):
        part = next_to(home)
        shutil.rmtree(part, ignore_errors=True)
        there, key = _there(home, out), sha256_bytes(f"{name}\n{dataset.text()}".encode())
        if there.pop("of", None) == key:
            return there
        try:
            return _write(dataset, name, key, part, home)
        except OSError as error:
            raise EnvironmentFailure(f"{out}: cannot be written: {error.strerror or error}") from error


def _there(home: Path, out: Path) -> dict[str, object]:
    """What an earlier export says of itself; nothing where there is none.

    Raises:
        ConfigError: other files, or files that are no longer as they were exported: somebody's work.
    """
    if not (home / MARK).is_file():
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise ConfigError(f"{out} holds something else than an export: choose another folder")
        return {}
    content = yaml.safe_load((home / MARK).read_text(encoding="utf-8"))
    there: dict[str, object] = content if isinstance(content, dict) else {}
    if there.pop("files", None) not in (None, _files(home)):
        raise ConfigError(f"{out} has been worked on since it was exported: choose another folder, or move it away")
    return there


def _files(folder: Path) -> str:
    """One hash of all files but the mark."""
    listed = [f"{item['sha256']} {item['path']}\n" for item in list_products(folder) if item["path"] != MARK]
    return sha256_bytes("".join(listed).encode())


def _write(dataset: Dataset, name: str, key: str, part: Path, home: Path) -> dict[str, object]:
    make_folder(part)
    lost = FORMATS[name].load().write(dataset, part)
    result = {
        "format": name,
        "photographs": len(dataset.images),
        "annotations": len(dataset.annotations),
        "keeps": FORMATS[name].keeps,
        **lost,
    }
    use = f"anomaly-gan ingest THIS_FOLDER --format {name} --out RUN/ingest"
    write_card(part, data_card(dataset, name, FORMATS[name].keeps, use))
    hashes = {"of": key, "files": _files(part)}
    write_text(part / MARK, yaml.safe_dump({**result, **hashes}, allow_unicode=True))
    if home.exists():
        exchange(part, home)
        shutil.rmtree(part)
    else:
        part.rename(home)
        sync_folder(home.parent)
    return result


def data_card(dataset: Dataset, form: str, keeps: str, use: str) -> Card:
    """``README.md`` of a data set in a format; ``keeps``: what of the labels the format holds; ``use``: a line."""
    names = dataset.category_names()
    counts = {name: sum(item.category_id == number for item in dataset.annotations) for number, name in names.items()}
    synthetic = sum(image.source == "synthetic" for image in dataset.images)
    return Card(
        "dataset",
        "Photographs of parts with labelled defects",
        "image-segmentation",
        f"Photographs of parts and the defects on them, written as {form} by anomaly-gan.",
        {
            "photographs": len(dataset.images),
            "of these synthetic": synthetic,
            "annotations": counts,
            "physical objects": len({image.group_id for image in dataset.images}),
            "labels": keeps,
        },
        [use],
        ["Never judge a detector on synthetic photographs: only held-out real parts tell."] if synthetic else [],
        ["synthetic"] if synthetic else [],
    )
