"""What was painted on the page and is to stay: ``RUN/painted``, a data set of its own, with who painted it.

A kept defect is no part of any training set by itself: it goes through the review as a generated photograph does, and
the export of its method takes it in once somebody has accepted it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mask_pool.rating.items import RatingItem
from mask_pool.rating.routes import Unprocessable
from mask_pool.rating.store import Conflict, Unavailable

from ..core.dataset import Annotation, Dataset, ImageRecord, load_dataset, number_from_one
from ..core.errors import EnvironmentFailure
from ..core.files import sha256_bytes, write_bytes
from ..core.images import encode_png
from ..core.workfolder import remove_temporary
from ..synthesis.export.reviewed import PAINTED
from .painting import Canvas, PaintRequest

STEM_CHARS = 40


@dataclass
class Kept:
    """The painted defects of one run; each is on the disk before its painter hears of it."""

    run: Path
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        remove_temporary(self.run / PAINTED)  # of a server that was killed; one at a time has the run

    def add(self, canvas: Canvas, request: PaintRequest, painter: str) -> str:
        """Write the photograph and its label, once however often it is sent; the name it has.

        Raises:
            Conflict: the photograph is no longer among the training photographs.
            Unprocessable: the data set has no such category.
            Unavailable: it cannot be written now; the same painting may be sent again.
        """
        ingest, base = load_dataset(self.run / "ingest"), _name(canvas.item)
        found = next((image for image in ingest.images if image.file_name == base and image.split == "train"), None)
        if found is None:
            raise Conflict("this photograph has been replaced")
        numbers = {item.name: item.id for item in ingest.categories}
        if request.category not in numbers:
            raise Unprocessable("category")
        content = encode_png(canvas.painted)
        sha256 = sha256_bytes(content)
        name = f"{PurePosixPath(base).stem[:STEM_CHARS]}_{sha256[:12]}.png"
        folder = self.run / PAINTED
        with self._writing:
            there = load_dataset(folder) if (folder / "annotations.json").is_file() else Dataset([], [], [])
            if any(image.file_name == name for image in there.images):
                return name
            image = _record(found, name, sha256, canvas, request, painter)
            image = replace(image, id=max((one.id for one in there.images), default=0) + 1)
            labels = [
                Annotation.from_mask(0, image.id, numbers[request.category], mask_01, {"severity": filled.record()})
                for (_, mask_01), filled in zip(canvas.parts, canvas.fillings, strict=True)
            ]
            info = {"description": "defects painted by people", "mode": ingest.mode}
            both = number_from_one([*there.annotations, *labels])
            try:
                write_bytes(folder / "images" / name, content)
                Dataset([*there.images, image], both, ingest.categories, info, folder).save(folder)
            except (OSError, EnvironmentFailure) as error:
                raise Unavailable(folder, error) from error
        return name


def _name(item: RatingItem) -> str:
    return item.mask.file.removeprefix("sound/")


def _record(
    base: ImageRecord, name: str, sha256: str, canvas: Canvas, request: PaintRequest, painter: str
) -> ImageRecord:
    """The painted photograph stands with the object it is painted on."""
    asked = {"severity": request.severity, "light": request.light or None}
    provenance = {
        "method": request.method,
        "seed": request.seed,
        "base": base.file_name,
        "base_sha256": base.sha256,
        "generator_sha256": canvas.generator_sha256,
        "support_px": canvas.support_px,
        "asked": {name: value for name, value in asked.items() if value is not None},
        "painted_by": painter,
    }
    extra = {"provenance": provenance, "category": request.category}
    return ImageRecord(0, name, base.width, base.height, base.group_id, "train", "synthetic", sha256, extra)
