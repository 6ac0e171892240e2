"""Experts' drawings: the shapes of labelme files, and the photographs they were drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.formats.labelme import check_shape, declared_size, read_label_file
from anomaly_gan.core.formats.labelme_shapes import draw_shape
from anomaly_gan.core.ledger import Ledger, Notes
from anomaly_gan.core.polygons import ShapeFault
from anomaly_gan.core.records import Dataset, ImageRecord
from anomaly_gan.core.source_tree import list_tree, suffix_of


@dataclass(frozen=True, eq=False)
class Drawing:
    """Shape ``index`` of labelme file ``file``, still to be drawn; ``photograph`` is the path it gives.

    ``size_hw`` is the size that the file declares for the photograph, None where it declares none.
    """

    file: str
    index: int
    label: str
    shape: dict[str, Any]
    size_hw: tuple[int, int] | None
    photograph: str

    def draw(self, image: ImageRecord) -> np.ndarray:
        """mask_01 (H, W) in the frame of the photograph.

        Raises:
            InputError: C1 another size than the photograph's; C4 to C8 the shape cannot be drawn.
        """
        actual = (image.height, image.width)
        if self.size_hw not in {None, actual}:
            raise InputError(self.file, "C1", f"drawn on {self.size_hw} (height, width), but {image.file_name} has "
                             f"{actual}", "draw on the photograph that was ingested")
        try:
            return draw_shape(self.shape, actual, None, Notes())
        except ShapeFault as fault:
            raise InputError(f"{self.file}[shape {self.index}]", fault.code, fault.reason,
                             "redraw the shape") from fault


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


def read_drawings(folder: Path) -> list[Drawing]:
    """All shapes of the labelme files that lie directly in ``folder``, by file name and place in the file.

    Raises:
        InputError: a file cannot be read, or is not labelme; the message names file and shape.
    """
    ledger = Ledger()
    tree = list_tree(folder, ledger)
    for row in ledger.rejected:
        raise InputError(f"{folder}/{row['file']}", row["code"], row["reason"], row["remedy"])
    drawings = []
    for file in (name for name in tree.files if suffix_of(name) == ".json" and "/" not in name):
        content = read_label_file(tree, file)
        size_hw = declared_size(file, content)
        for index, shape in enumerate(content["shapes"]):
            label = check_shape(f"{file}[shape {index}]", shape)["label"]
            drawings.append(Drawing(file, index, label, shape, size_hw, str(content.get("imagePath") or "")))
    return drawings
