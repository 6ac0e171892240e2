"""Drawings made elsewhere, laid out as labelme files so that they are shown when it opens on the photographs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.files import write_json
from anomaly_gan.ingestion.formats.labelme_files import label_content

from .drawings import PHOTOGRAPHS, Drawing, PhotographFinder, read_drawings, read_index


def prepare(out: Path, drawings: Path, ingest: Dataset) -> int:
    """Show drawings made elsewhere in ``out``, as laid out by ``pool draw``: one file per photograph drawn on.

    Photographs that have a file in ``out`` are left alone: what was drawn there is newer. The drawings get new names
    (file and place), so ratings of the old ones do not carry over.

    Returns:
        The number of drawings shown.

    Raises:
        InputError: a file of ``drawings`` or the index of ``out`` cannot be read.
    """
    index = read_index(out).photographs
    copies = {entry.file_name: name for name, entry in index.items()}
    finder = PhotographFinder(ingest)
    found: dict[str, list[Drawing]] = defaultdict(list)
    for drawing in read_drawings(drawings):
        image = finder.find(drawing.photograph)
        if image is not None and image.file_name in copies:
            found[image.file_name].append(drawing)
    shown = 0
    for file_name, own in found.items():
        copy = copies[file_name]
        path = out / f"{Path(copy).stem}.json"
        if path.exists():
            continue
        size = (index[copy].height, index[copy].width)
        shapes = [
            _whole(shape, number if len(drawing.members) > 1 else None)
            for number, drawing in enumerate(own)
            for _, shape in drawing.members
        ]
        write_json(path, label_content(f"{PHOTOGRAPHS}/{copy}", size, shapes))
        shown += len(own)
    return shown


def _whole(shape: dict[str, Any], group_id: int | None) -> dict[str, Any]:
    """The shape with every key that labelme insists on, in a group that is its own among several files."""
    flags = shape.get("flags") if isinstance(shape.get("flags"), dict) else {}
    description = shape.get("description")
    return {
        **shape,
        "shape_type": shape.get("shape_type") or "polygon",
        "group_id": group_id,
        "flags": {str(name): value for name, value in (flags or {}).items() if isinstance(value, bool)},
        "description": description if isinstance(description, str) else "",
        "mask": shape.get("mask"),
    }
