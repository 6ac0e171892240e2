"""A data set written in one of the formats of the table, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from ..core.config import nearest
from ..core.dataset import Dataset
from ..core.errors import ConfigError
from ..core.files import write_text
from .formats.table import FORMATS, writing

MARK = "export.yaml"
"""Says of a folder that it was written here, and what the format could not keep."""


def write_format(dataset: Dataset, name: str, out: Path) -> dict[str, Any]:
    """Write ``dataset`` as the format ``name`` into the folder ``out``; returns the counts, and what was lost.

    An earlier export in ``out`` is replaced.

    Raises:
        ConfigError: no such format, or ``out`` holds something else than an export.
        InputError: A24 a photograph is missing or has changed.
    """
    if name not in writing():
        known = ", ".join(writing())
        raise ConfigError(f"--format {name}: is not written{nearest(name, writing())}; one of: {known}")
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} holds something else than an export: choose another folder")
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    lost = FORMATS[name].load().write(dataset, part)
    result = {
        "format": name,
        "photographs": len(dataset.images),
        "annotations": len(dataset.annotations),
        "keeps": FORMATS[name].keeps,
        **lost,
    }
    write_text(part / MARK, yaml.safe_dump(result, allow_unicode=True))
    if out.exists():
        shutil.rmtree(out)
    part.rename(out)
    return result
