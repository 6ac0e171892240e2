"""Experts' drawings: the instances in labelme files, and the photographs they were drawn on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.json_files import read_as
from anomaly_gan.ingestion.formats.labelme import (
    check_shape,
    declared_size,
    draw_group,
    group_shapes,
    is_background,
    read_label_file,
)
from anomaly_gan.ingestion.ledger import Ledger, Notes
from anomaly_gan.ingestion.source_tree import SourceTree, list_tree, suffix_of

PHOTOGRAPHS = "photographs"
"""Folder beside drawings that holds the copies they were drawn on, as ``pool draw`` lays them out."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """One instance in labelme file ``file``, still to be drawn; ``index`` is the place of its first shape there.

    Shapes of one ``group_id`` are one instance, its pixels their exclusive or: a shape inside another is a hole, parts
    that lie apart stay parts. (file, index) names the drawing in score sheets.

    ``members`` are its shapes with their places in the file. ``size_hw`` is the size that the file declares for the
    photograph, None where it declares none; ``photograph`` is the path of that (as ingested, where ``pool draw`` laid
    out the copy, and then ``sha256`` is the copy's); ``line_width`` that of lines that do not say it, in pixels.
    """

    file: str
    index: int
    label: str
    members: tuple[tuple[int, dict[str, Any]], ...]
    size_hw: tuple[int, int] | None
    photograph: str
    sha256: str | None = None
    line_width: float | None = None

    @property
    def shape(self) -> dict[str, Any]:
        """The first shape."""
        return self.members[0][1]

    def draw(self, image: ImageRecord) -> np.ndarray:
        """mask_01 (H, W) in the frame of the photograph.

        Raises:
            InputError: C1 another size than the photograph's, C3 another picture; C4 to C8 it cannot be drawn.
        """
        actual = (image.height, image.width)
        if self.size_hw not in {None, actual}:
            raise InputError(
                self.file,
                "C1",
                f"drawn on {self.size_hw} (height, width), but {image.file_name} has {actual}",
                "draw on the photograph that was ingested",
            )
        if self.sha256 not in {None, image.sha256}:
            raise InputError(
                self.file,
                "C3",
                f"drawn on another picture than the {image.file_name} of today",
                "run `pool draw` again for this ingest",
            )
        return draw_group(self.file, self.members, actual, self.line_width, Notes())


class PhotographFinder:
    """Finds the ingested photograph that a labelme file names, by the longest end of its path that is known.

    ``../photos/normal/003.jpg`` is looked for as itself, then as ``normal/003.jpg``, ``003.jpg`` and ``003``. Nothing
    is opened: the name in the file is only compared.
    """

    def __init__(self, ingest: Dataset) -> None:
        self._by_end: dict[str, dict[int, ImageRecord]] = {}
        for image in ingest.images:
            for name in (image.file_name, str(image.extra.get("source_file", ""))):
                for end in _ends(name):
                    self._by_end.setdefault(end, {})[image.id] = image

    def find(self, name: str) -> ImageRecord | None:
        """The one photograph of that name; None where there is none, or several cannot be told apart."""
        found = next((self._by_end[end] for end in _ends(name) if end in self._by_end), {})
        return next(iter(found.values())) if len(found) == 1 else None


def _ends(name: str) -> list[str]:
    """The ends of a path, longest first, each with and without the file's suffix."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    return [form for end in ends for form in (end, str(PurePosixPath(end).with_suffix("")))]


def list_drawings(folder: Path) -> tuple[SourceTree, list[str]]:
    """The tree of ``folder`` and the names of the labelme files that lie directly in it.

    Raises:
        InputError: the folder is missing, or holds something that is no plain file.
    """
    ledger = Ledger()
    tree = list_tree(folder, ledger)
    for row in ledger.rejected:
        raise InputError(f"{folder}/{row['file']}", row["code"], row["reason"], row["remedy"])
    return tree, [name for name in tree.files if suffix_of(name) == ".json" and "/" not in name]


def read_drawings(folder: Path, line_width: float | None = None) -> list[Drawing]:
    """The drawings of the labelme files that lie directly in ``folder``, by file name and place in the file.

    Args:
        folder: labelme files; the ``out`` of ``pool draw`` is one.
        line_width: of lines and linestrips that do not say their own (``width=5`` in the description), in pixels.

    Raises:
        InputError: a file cannot be read, or is not labelme; the message names file and shape.
    """
    tree, files = list_drawings(folder)
    index = read_index(folder)
    return [drawing for file in files for drawing in read_file(tree, file, index, line_width)]


def read_file(tree: SourceTree, file: str, index: Index, line_width: float | None = None) -> list[Drawing]:
    """The drawings of one file; shapes labelled ``_background_`` count as nothing.

    Raises:
        InputError: C1, C9, C11, C13, C14, C15, named by file and shape.
    """
    content = read_label_file(tree, file)
    size_hw = declared_size(file, content)
    name = str(content.get("imagePath") or "")
    origin = index.photographs.get(PurePosixPath(name.replace("\\", "/")).name)
    photograph, sha256 = (origin.file_name, origin.sha256) if origin else (name, None)
    shapes = [(place, check_shape(f"{file}[shape {place}]", shape)) for place, shape in enumerate(content["shapes"])]
    groups = group_shapes(file, [(place, shape) for place, shape in shapes if not is_background(shape["label"])])
    return [
        Drawing(file, members[0][0], members[0][1]["label"], tuple(members), size_hw, photograph, sha256, line_width)
        for members in groups
    ]


@dataclass(frozen=True)
class Original:
    """The photograph of the ingest that a copy was made of."""

    file_name: str
    sha256: str
    height: int
    width: int


@dataclass(frozen=True)
class Index:
    """What ``pool draw`` laid out: the categories that labelme offers, and name of each copy -> its original."""

    categories: list[str] = field(default_factory=list)
    photographs: dict[str, Original] = field(default_factory=dict)


def read_index(folder: Path) -> Index:
    """Empty where the folder was not laid out by ``pool draw``.

    Raises:
        InputError: FORMAT the index is damaged.
    """
    path = folder / PHOTOGRAPHS / "index.json"
    if not path.is_file():
        return Index()
    return read_as(path, Index, "restore it, or draw into a new folder")
