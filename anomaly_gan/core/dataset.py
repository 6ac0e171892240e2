"""The data set every stage reads and writes: COCO instance segmentation plus our own fields.

A data set folder holds ``annotations.json`` and ``images/``; ``file_name`` is relative to ``images/``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .files import json_text, sha256_bytes, write_json
from .manifest import check_product
from .masks import Rle, decode_rle, encode_rle_box, mask_area, mask_box_xywh

SCHEMA = 1
"""Of ``annotations.json``; stage keys and manifests have their own (``core.manifest``)."""


class Told(dict[str, Any]):
    """Fields that a stage has written beside the standard ones; one that is missing is named with its photograph."""

    where = ""

    @classmethod
    def of(cls, path: Path, file_name: str, content: dict[str, Any]) -> Told:
        told = cls(content)
        told.where = f"{path}[{file_name}]"
        return told

    def __missing__(self, name: str) -> Any:
        raise InputError(self.where, "FORMAT", f"has no {name!r}", "run the stage that writes it again")


@dataclass(frozen=True)
class ImageRecord:
    """One photograph. ``group_id`` is the physical object; ``source`` is ``real`` or ``synthetic``.

    ``extra`` holds stage-specific fields (``provenance`` of a synthetic image, ``normal_file`` of a pool
    item ...); they stand beside the standard fields in the JSON.
    """

    id: int
    file_name: str
    width: int
    height: int
    group_id: str
    split: str
    source: str
    sha256: str
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def object(self) -> str:
        """The physical object, also where photographs were split at random and each is a group of its own."""
        return str(self.extra.get("object", self.group_id))


@dataclass(frozen=True)
class Annotation:
    """One instance. ``segmentation`` is compressed RLE; ``bbox`` is tight [x, y, w, h]; ``area`` is mask pixels."""

    id: int
    image_id: int
    category_id: int
    segmentation: Rle
    bbox: list[int]
    area: int
    iscrowd: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mask(
        cls, id: int, image_id: int, category_id: int, mask_01: np.ndarray, provenance: dict[str, object] | None = None
    ) -> Annotation:
        """Build an annotation whose RLE, box and area all come from the same pixels."""
        x, y, w, h = mask_box_xywh(mask_01)
        size_hw = (int(mask_01.shape[0]), int(mask_01.shape[1]))
        return cls.from_box(id, image_id, category_id, mask_01[y : y + h, x : x + w], x, y, size_hw, provenance)

    @classmethod
    def from_box(
        cls,
        id: int,
        image_id: int,
        category_id: int,
        bitmap_01: np.ndarray,
        x: int,
        y: int,
        size_hw: tuple[int, int],
        provenance: dict[str, object] | None = None,
    ) -> Annotation:
        """The same as :meth:`from_mask` for a bitmap (h, w) with its corner at (x, y) of a frame (H, W), but fast.

        Args:
            id: number of the annotation, from 1.
            image_id: its photograph.
            category_id: its category.
            bitmap_01: uint8 (h, w) of 0 and 1.
            x: column of its left side in the frame.
            y: row of its upper side in the frame.
            size_hw: height and width of the frame in pixels.
            provenance: what it descends from; None: it is real.

        Returns:
            The annotation, with area, box and run lengths.

        Raises:
            ValueError: the bitmap is empty, or does not lie inside the frame.
        """
        left, top, w, h = mask_box_xywh(bitmap_01)
        return cls(
            id,
            image_id,
            category_id,
            encode_rle_box(bitmap_01, x, y, size_hw),
            [x + left, y + top, w, h],
            mask_area(bitmap_01),
            0,
            provenance or {},
        )

    def mask(self) -> np.ndarray:
        """mask_01 (H, W) of the instance in the frame of its image."""
        return decode_rle(self.segmentation)


@dataclass(frozen=True)
class Category:
    id: int
    name: str
    supercategory: str = "defect"


@dataclass(frozen=True)
class Dataset:
    """A whole COCO data set in memory; ``folder`` is where its ``images/`` lies."""

    images: list[ImageRecord]
    annotations: list[Annotation]
    categories: list[Category]
    info: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def mode(self) -> str:
        """``L`` or ``RGB``: what its photographs are read as; ``L`` where it does not say."""
        return str(self.info.get("mode", "L"))

    @property
    def gray(self) -> bool:
        """Whether its photographs are read with one channel."""
        return self.mode == "L"

    def path_of(self, image: ImageRecord) -> Path:
        return self.folder / "images" / image.file_name

    def by_image(self) -> dict[int, list[Annotation]]:
        """Annotations of each image id (images without any are absent)."""
        grouped: dict[int, list[Annotation]] = defaultdict(list)
        for annotation in self.annotations:
            grouped[annotation.image_id].append(annotation)
        return dict(grouped)

    def showing(self, category_id: int, least_px: int = 0) -> list[tuple[ImageRecord, Annotation]]:
        """Photographs that show the category, by name, each with its largest instance of at least ``least_px``."""
        of_image, rows = self.by_image(), []
        for image in sorted(self.images, key=lambda image: image.file_name):
            own = [
                item
                for item in of_image.get(image.id, [])
                if item.category_id == category_id and not item.iscrowd and item.area >= least_px
            ]
            if own:
                rows.append((image, max(own, key=lambda item: item.area)))
        return rows

    def category_names(self) -> dict[int, str]:
        return {category.id: category.name for category in self.categories}

    def select(self, keep: Callable[[ImageRecord], bool]) -> Dataset:
        """The part of the data set whose images satisfy ``keep``; ids are unchanged."""
        images = [image for image in self.images if keep(image)]
        ids = {image.id for image in images}
        return replace(self, images=images, annotations=[a for a in self.annotations if a.image_id in ids])

    def split(self, name: str) -> Dataset:
        return self.select(lambda image: image.split == name)

    def normals(self) -> list[ImageRecord]:
        """Images without any annotation."""
        labelled = {annotation.image_id for annotation in self.annotations}
        return [image for image in self.images if image.id not in labelled]

    def save(self, folder: Path) -> Path:
        """Write ``folder/annotations.json`` atomically; the same data set gives the same bytes."""
        path = folder / "annotations.json"
        write_json(path, self._content())
        return path

    def text(self) -> str:
        """The content of ``annotations.json``."""
        return json_text(self._content())

    def _content(self) -> dict[str, object]:
        return {
            "info": {"schema": SCHEMA, **self.info},
            "licenses": [],
            "categories": [vars(category) for category in self.categories],
            "images": [_image_json(image) for image in self.images],
            "annotations": [vars(annotation) for annotation in self.annotations],
        }


def _image_json(image: ImageRecord) -> dict[str, object]:
    standard = {item.name: getattr(image, item.name) for item in fields(image) if item.name != "extra"}
    return {**image.extra, **standard}


def load_dataset(folder: Path) -> Dataset:
    """Read a data set folder that a stage of this project wrote.

    Raises:
        InputError: the file is missing or is not one of ours.
    """
    path = folder / "annotations.json"
    try:
        stored = path.read_bytes()
        content = json.loads(stored)
        names = {item.name for item in fields(ImageRecord)} - {"extra"}
        images = [
            ImageRecord(
                **{key: row[key] for key in names},
                extra=Told.of(path, row["file_name"], {key: row[key] for key in row if key not in names}),
            )
            for row in content["images"]
        ]
        annotations = [Annotation(**row) for row in content["annotations"]]
        categories = [Category(**row) for row in content["categories"]]
        info = dict(content.get("info", {}))
        _check(images, annotations, categories)
    except FileNotFoundError as error:
        raise InputError(str(path), "MISSING", "no such file", "run `anomaly-gan ingest` first") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            str(path),
            "FORMAT",
            f"not a data set of this project ({error})",
            "pass foreign COCO files through `anomaly-gan ingest`",
        ) from error
    if info.get("schema", SCHEMA) != SCHEMA:
        raise InputError(
            str(path),
            "SCHEMA",
            f"has schema {info['schema']}, this version reads {SCHEMA}",
            "use the version that made it",
        )
    check_product(path, sha256_bytes(stored))
    return Dataset(images, annotations, categories, info, folder)


def _check(images: list[ImageRecord], annotations: list[Annotation], categories: list[Category]) -> None:
    """Raises TypeError for a field of another kind."""
    for name, items, numbers, texts in (
        ("images", images, ("id", "width", "height"), ("file_name", "group_id", "split", "source", "sha256")),
        ("annotations", annotations, ("id", "image_id", "category_id", "area"), ()),
        ("categories", categories, ("id",), ("name",)),
    ):
        for kind, wanted in ((int, numbers), (str, texts)):
            for field_name in wanted:
                for item in items:
                    if not isinstance(getattr(item, field_name), kind):
                        raise TypeError(f"{name}: {field_name} is {getattr(item, field_name)!r}")


def number_from_one(items: Iterable[Annotation]) -> list[Annotation]:
    """The same annotations with ids 1, 2, 3 ..."""
    return [replace(item, id=index) for index, item in enumerate(items, start=1)]
