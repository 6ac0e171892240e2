"""The user's own photograph and mask: decoded safely, checked, named by file in every complaint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core.config import nearest
from ...core.dataset import load_dataset
from ...core.errors import InputError
from ...core.json_files import understood
from ...core.masks import union
from ...ingestion.classes import ClassMap
from ...ingestion.formats.base import Label
from ...ingestion.formats.labelme import (
    MAX_LABEL_BYTES,
    check_shape,
    declared_size,
    draw_group,
    group_shapes,
    is_background,
)
from ...ingestion.image_files import MAX_BYTES, orient
from ...ingestion.json_reader import kind_of, parse_json
from ...ingestion.ledger import Notes, refuse
from ...ingestion.mask_files import COVERED, components, decode_parts
from ...ingestion.orientation import resolve_frame
from ...ingestion.photographs import Photograph, decoded
from ...ingestion.reading import ReadingConfig
from ..methods.trained import FILE, read_trained
from .placement import Instances


def read_content(path: Path, most: int) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: MISSING, A21 it cannot be read, A17 it is larger than ``most``.
    """
    try:
        if not path.is_file():
            raise InputError(str(path), "MISSING", "no such file")
        if path.stat().st_size > most:
            raise InputError(str(path), "A17", f"is larger than {most:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), "A21", f"cannot be read ({error.strerror})") from error


def learnt_reading(trained: Path) -> ReadingConfig:
    """How the photographs that a generator learned from were read; by its data set where an older one says nothing."""
    model = read_trained(trained)
    if model.reading is not None:
        with understood(trained / FILE):
            return ReadingConfig.of({"reading": model.reading})
    beside = trained.parent / "ingest"
    there = (beside / "annotations.json").is_file()
    found = ReadingConfig.of_dataset(load_dataset(beside)) if there else ReadingConfig()
    return found.model_copy(update={"colour": "gray"}) if model.channels == 1 else found


def read_photograph(path: Path, notes: Notes, reading: ReadingConfig = ReadingConfig()) -> Photograph:
    """A photograph the way a viewer shows it, (H, W) where it holds no colour, else RGB.

    Raises:
        InputError: A-codes of ``ingestion.image_files``.
    """
    found = decoded(str(path), read_content(path, MAX_BYTES), notes, reading)
    if found.pixels.ndim == 3 and not found.coloured:
        return replace(found, pixels=np.ascontiguousarray(found.pixels[..., 0]))
    return found


def in_its_frame(where: str, instances: Instances, photograph: Photograph, exif: str, notes: Notes) -> Instances:
    """The instances as the photograph is shown: turned with it where they were drawn on its unturned pixels.

    Raises:
        InputError: A4, A5 nobody knows on which they were drawn (``ingestion.orientation``).
    """
    frame = (instances[0][1].shape[0], instances[0][1].shape[1])
    if frame not in {photograph.raw_hw, photograph.pixels.shape[:2]}:
        return instances  # another size: the placement's to say where it goes
    label = Label(frame, False, lambda size_hw: [], where)
    _, turn = resolve_frame(photograph.file, photograph.raw_hw, photograph.orientation, label, exif, notes)
    return [(name, orient(mask, turn)) for name, mask in instances]


def read_mask(
    path: Path,
    category: str | None,
    known: list[str],
    line_width: float | None = None,
    classes: ClassMap | None = None,
) -> tuple[Instances, bytes]:
    """The instances in a mask picture (each connected part one) or a labelme file (each shape or group one).

    A picture needs ``category``, or ``classes`` that say what its values or colours are (a region to be ignored is
    not painted); a labelme file's own labels count without it.

    Raises:
        InputError: B7 nothing is set, B8 nearly everything is, C11 no category, or one the model does not know; B- and
            C-codes of the readers.
    """
    if category is not None:
        check_known("--category", category, known)
    if path.suffix.lower() == ".json":
        content = read_content(path, MAX_LABEL_BYTES)
        instances = _labelme(path, content, category, line_width)
    else:
        content = read_content(path, MAX_BYTES)
        parts = decode_parts(str(path), content, Notes(), classes=classes)
        instances = []
        for name, mask in parts.defects.items():
            if not name and category is None:
                remedy = f"name it: --category {known[0]}"
                raise InputError(str(path), "C11", "a mask picture does not say which defect it is", remedy)
            instances += [(name or category or "", part) for part in components(str(path), mask)]
    if not instances:
        raise InputError(str(path), "B7", "the mask is empty", "mark the pixels to be painted")
    covered = float(union([mask for _, mask in instances], *instances[0][1].shape).mean())
    if covered > COVERED:
        raise InputError(str(path), "B8", f"{covered:.0%} of the mask is set", "invert it if it is inverted")
    for name, _ in instances:
        check_known(str(path), name, known)
    return instances, content


def check_known(where: str, category: str, known: list[str]) -> None:
    """Refuse (C11) a category that the model was not trained on, with the nearest one."""
    if category not in known:
        raise refuse(
            where, "C11", f"the model knows no {category!r}{nearest(category, known)}", f"one of: {', '.join(known)}"
        )


def _labelme(path: Path, content: bytes, category: str | None, line_width: float | None) -> Instances:
    value = parse_json(str(path), content)
    if kind_of(value) != "labelme":
        raise refuse(str(path), "C15", f"is no labelme file (it looks like {kind_of(value)})", "export labelme")
    size = declared_size(str(path), value)
    if size is None:
        raise refuse(str(path), "C1", "does not say how large its photograph is", "save it with labelme again")
    shapes = [check_shape(f"{path}[shape {at}]", shape) for at, shape in enumerate(value["shapes"])]
    drawn = [(at, shape) for at, shape in enumerate(shapes) if not is_background(shape["label"])]
    return [
        (category or members[0][1]["label"], draw_group(str(path), members, size, line_width, Notes()))
        for members in group_shapes(str(path), drawn)
    ]
