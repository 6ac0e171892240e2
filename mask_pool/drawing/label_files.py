"""Writing labelme files: drawings made elsewhere, or masks of ours, shown when labelme opens on the photographs.

The files hold what labelme 5.5 to 7 all insist on: every key present, ``imageData`` null, the exact size of the
photograph, flags that are truth values, shapes with at least one point.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.files import write_json
from anomaly_gan.core.images import encode_png
from anomaly_gan.core.records import Dataset

from ..cut import tight
from .drawings import PHOTOGRAPHS, Drawing, PhotographFinder, read_drawings, read_index

VERSION = "5.5.0"
"""The oldest labelme that reads all of what is written; newer ones do not mind."""


def label_content(photograph: str, size_hw: tuple[int, int], shapes: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a labelme file; ``photograph`` is a path seen from the file's folder."""
    height, width = size_hw
    return {"version": VERSION, "flags": {}, "shapes": shapes, "imagePath": photograph, "imageData": None,
            "imageHeight": height, "imageWidth": width}


def mask_shape(label: str, mask_01: np.ndarray, description: str = "", group_id: int | None = None) -> dict[str, Any]:
    """A brush mask of labelme from a non-empty mask_01 (H, W): holes and parts stay, pixel for pixel."""
    (x, y, w, h), bitmap = tight(mask_01)
    return {"label": label, "points": [[float(x), float(y)], [float(x + w - 1), float(y + h - 1)]],
            "group_id": group_id, "description": description, "shape_type": "mask", "flags": {},
            "mask": base64.b64encode(encode_png(bitmap)).decode("ascii")}


def polygon_shape(label: str, points_xy: np.ndarray, description: str = "",
                  group_id: int | None = None) -> dict[str, Any]:
    """A polygon of labelme from its corners (N, 2) in pixels."""
    return {"label": label, "points": [[float(x), float(y)] for x, y in points_xy], "group_id": group_id,
            "description": description, "shape_type": "polygon", "flags": {}, "mask": None}


def prepare(out: Path, drawings: Path, ingest: Dataset) -> int:
    """Show drawings made elsewhere in ``out``, as laid out by ``pool draw``: one file per photograph drawn on.

    Photographs that have a file in ``out`` are left alone: what was drawn there is newer. The drawings get new names
    (file and place), so ratings of the old ones do not carry over.

    Returns:
        The number of drawings shown.

    Raises:
        InputError: a file of ``drawings`` or the index of ``out`` cannot be read.
    """
    copies = {entry["file_name"]: name for name, entry in read_index(out).items()}
    finder = PhotographFinder(ingest)
    found: dict[str, list[Drawing]] = defaultdict(list)
    for drawing in read_drawings(drawings):
        image = finder.find(drawing.photograph)
        if image is not None and image.file_name in copies:
            found[image.file_name].append(drawing)
    index, shown = read_index(out), 0
    for file_name, own in found.items():
        copy = copies[file_name]
        path = out / f"{Path(copy).stem}.json"
        if path.exists():
            continue
        size = (index[copy]["height"], index[copy]["width"])
        shapes = [_whole(shape, number if len(drawing.members) > 1 else None)
                  for number, drawing in enumerate(own) for _, shape in drawing.members]
        write_json(path, label_content(f"{PHOTOGRAPHS}/{copy}", size, shapes))
        shown += len(own)
    return shown


def _whole(shape: dict[str, Any], group_id: int | None) -> dict[str, Any]:
    """The shape with every key that labelme insists on, in a group that is its own among several files."""
    flags = shape.get("flags") if isinstance(shape.get("flags"), dict) else {}
    description = shape.get("description")
    return {**shape, "shape_type": shape.get("shape_type") or "polygon", "group_id": group_id,
            "flags": {str(name): value for name, value in (flags or {}).items() if isinstance(value, bool)},
            "description": description if isinstance(description, str) else "", "mask": shape.get("mask")}
