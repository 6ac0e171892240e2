"""Legal and illegal regions: where a defect of a category may lie on a photograph, as people drew it.

A folder of regions holds labelme files or mask pictures (white is the region), or both:

* ``NAME.json``: shapes labelled ``legal``, ``illegal``, ``legal:CATEGORY`` or ``illegal:CATEGORY``, on the
  photograph that the file names; ``all.json`` stands for every photograph of its size that has none of its own;
* ``STEM.legal.png``, ``STEM.illegal@CATEGORY.png`` ...: STEM is the photograph's path without suffix, its folders
  joined by ``__`` (``normal__003``), or ``all``.

The legal regions of one kind (for all categories; for one) add up. A mask must lie in both kinds that are meant for it
(where there are none, anywhere) and in no illegal region. Regions of a photograph's own replace those of ``all``.
Where ``data.categories`` left categories out, theirs may be named too, and are for no mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from anomaly_gan.core.config import kept_config, nearest
from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.ingestion.image_files import MAX_BYTES
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask
from anomaly_gan.ingestion.source_tree import suffix_of

from ..drawing.drawings import Drawing, PhotographFinder, list_drawings, read_drawings

KINDS = ("legal", "illegal")
EVERYWHERE = "all"
DARKER = 0.35
"""A dark ground is darker than this share of the photograph's median, and connected to its border."""
BRIGHTER = 0.92
"""A bright ground is at least this share as bright as the brightest tenth, and connected to its border."""


@dataclass(frozen=True, eq=False)
class Region:
    """One region: legal or illegal, for ``category`` (None: for all), as a drawing or as mask_01 (H, W)."""

    legal: bool
    category: str | None
    source: Drawing | np.ndarray
    name: str

    @property
    def size_hw(self) -> tuple[int, int] | None:
        """The photograph's size it was made for; None where a drawing declares none."""
        return self.source.size_hw if isinstance(self.source, Drawing) else self.source.shape

    def mask(self, image: ImageRecord) -> np.ndarray:
        """mask_01 (H, W) in the frame of the photograph.

        Raises:
            InputError: C1 it was made for another size, C3 on another picture; C4 to C8 it cannot be drawn.
        """
        if isinstance(self.source, Drawing):
            return self.source.draw(image)
        if self.source.shape != (image.height, image.width):
            raise InputError(
                self.name,
                "C1",
                f"is {self.source.shape} (height, width), but {image.file_name} has {(image.height, image.width)}",
                "make it for the photograph that was ingested",
            )
        return self.source


@dataclass(frozen=True)
class Regions:
    """The regions of each photograph (by its file name) and those of all others."""

    own: dict[str, list[Region]] = field(default_factory=dict)
    shared: list[Region] = field(default_factory=list)

    def allowed(self, image: ImageRecord, category: str) -> np.ndarray | None:
        """bool (H, W): where the category may lie on the photograph; None where nothing forbids any place.

        Raises:
            InputError: B7 nothing is left; or a region cannot be made for the photograph.
        """
        size = image.height, image.width
        shared = [region for region in self.shared if region.size_hw in {None, size}]
        meant = [region for region in self.own.get(image.file_name, shared) if region.category in {None, category}]
        if not meant:
            return None
        allowed = np.ones(size, bool)
        for wanted in (None, category):
            legal = [region.mask(image) for region in meant if region.legal and region.category == wanted]
            if legal:
                allowed &= np.any(legal, axis=0)
        for region in meant:
            if not region.legal:
                allowed &= region.mask(image) == 0
        if not allowed.any():
            names = ", ".join(region.name for region in meant)
            raise InputError(
                image.file_name,
                "B7",
                f"the regions {names} leave no place for {category!r}",
                "redraw them: a mask must lie in every legal region and in no illegal one",
            )
        return allowed


def read_regions(folder: Path, ingest: Dataset) -> Regions:
    """All regions of a folder.

    Raises:
        InputError: MISSING there is no such folder, or no such photograph; B11 a picture may belong to several; C1 a
            region for all photographs fits none; C11 a label is no region, or names an unknown category; or a file
            cannot be read.
    """
    if not folder.is_dir():
        raise InputError(
            str(folder), "MISSING", "no such folder of regions", "correct pool.place.regions, or leave it out"
        )
    narrowed = bool(kept_config(ingest.folder).get("categories"))
    regions, categories = Regions(), None if narrowed else list(ingest.category_names().values())
    _read_drawn(folder, ingest, categories, regions)
    _read_pictures(folder, ingest, categories, regions)
    sizes = {(image.height, image.width) for image in ingest.images}
    for region in regions.shared:
        if region.size_hw is not None and region.size_hw not in sizes:
            raise InputError(
                region.name,
                "C1",
                f"is made for photographs of {region.size_hw} (height, width), of which the data set has none",
                "draw it on a photograph that was ingested",
            )
    return regions


def _read_drawn(folder: Path, ingest: Dataset, categories: Sequence[str] | None, regions: Regions) -> None:
    finder = PhotographFinder(ingest)
    for drawing in read_drawings(folder):
        where = f"{drawing.file}[shape {drawing.index}]"
        region = Region(*_meaning(where, drawing.label, ":", categories), drawing, where)
        if drawing.file == f"{EVERYWHERE}.json":
            # the photograph it was drawn on stands for the others too: only its size counts
            regions.shared.append(replace(region, source=replace(drawing, sha256=None)))
            continue
        found = finder.find(drawing.photograph)
        if found is None:
            raise InputError(
                drawing.file,
                "MISSING",
                f"the data set has no photograph {drawing.photograph!r}",
                f"name it in imagePath, or call the file {EVERYWHERE}.json",
            )
        regions.own.setdefault(found.file_name, []).append(region)


def _read_pictures(folder: Path, ingest: Dataset, categories: Sequence[str] | None, regions: Regions) -> None:
    """Regions drawn as mask pictures ``PATH__NAME.MEANING.png``, put into ``regions``.

    Raises:
        InputError: B11 a name fits several photographs; MISSING it fits none.
    """
    by_stem: dict[str, list[str]] = {}
    for image in ingest.images:
        by_stem.setdefault(flat_stem(image.file_name), []).append(image.file_name)
    tree, _ = list_drawings(folder)
    for name in (name for name in tree.files if suffix_of(name) == ".png" and "/" not in name):
        stem, _, label = PurePosixPath(name).stem.rpartition(".")
        mask_01 = decode_mask(name, tree.read(name, MAX_BYTES), Notes())
        region = Region(*_meaning(name, label, "@", categories), mask_01, name)
        if stem == EVERYWHERE:
            regions.shared.append(region)
        elif len(by_stem.get(stem, [])) == 1:
            regions.own.setdefault(by_stem[stem][0], []).append(region)
        elif stem in by_stem:
            raise InputError(
                name,
                "B11",
                f"may belong to {' or '.join(by_stem[stem])}",
                "draw this region in labelme, whose file names its photograph",
            )
        else:
            raise InputError(
                name,
                "MISSING",
                f"the data set has no photograph {stem!r}{nearest(stem, by_stem)}",
                "call it PATH__NAME.legal.png after its photograph",
            )


def flat_stem(file_name: str) -> str:
    """``normal/003.jpg`` -> ``normal__003``."""
    path = PurePosixPath(file_name)
    return "__".join((*path.parts[:-1], path.stem))


def _meaning(where: str, label: str, separator: str, categories: Sequence[str] | None) -> tuple[bool, str | None]:
    # categories None: some were left out on purpose, so that a name cannot be told from a mistyped one
    kind, marked, category = label.partition(separator)
    if kind not in KINDS or (marked and not category):
        raise InputError(
            where,
            "C11",
            f"has the label {label!r}, which is no region",
            f"use legal, illegal, legal{separator}CATEGORY or illegal{separator}CATEGORY",
        )
    if category and categories is not None and category not in categories:
        raise InputError(
            where,
            "C11",
            f"names no category {category!r}{nearest(category, categories)}",
            "use a category of the data set",
        )
    return kind == "legal", category or None


def background_01(gray_HW: np.ndarray, kind: str) -> np.ndarray:
    """bool (H, W): the dark or bright ground around the object, as far as it touches the photograph's border."""
    smooth = cv2.GaussianBlur(gray_HW, (0, 0), 1.5)
    found = (
        smooth < DARKER * np.median(smooth) if kind == "dark" else smooth >= BRIGHTER * np.percentile(smooth, 90)
    ).astype(np.uint8)
    _, labels = cv2.connectedComponents(found, connectivity=4)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, np.unique(rim[rim > 0]))


def legal_corners(allowed_HW: np.ndarray, bitmap: np.ndarray, inside: float) -> np.ndarray:
    """bool (H - h + 1, W - w + 1): corners at which at least ``inside`` of the bitmap's pixels are allowed.

    The bitmap must not be larger than the photograph.
    """
    hits = cv2.matchTemplate(allowed_HW.astype(np.float32), (bitmap != 0).astype(np.float32), cv2.TM_CCORR)
    # the counts come out of a Fourier transform: whole numbers but for rounding
    return hits >= least_hits(bitmap, inside) - 0.25


def least_hits(bitmap: np.ndarray, inside: float) -> int:
    """Fewest pixels of mask_01 that are at least the share ``inside`` of it."""
    return math.ceil(inside * np.count_nonzero(bitmap) - 1e-6)
