"""Experts' drawings: labelme files, and the elements that the best rated of them become."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.records import Dataset, ImageRecord

from .cut import Element, tight
from .scores import Score, read_scores

PASSABLE = 5.0
"""Mean score from which a drawing counts as rather right than wrong."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """Shape ``index`` of labelme file ``file``: its label, mask_01 (H, W), and the photograph it is drawn on."""

    file: str
    index: int
    label: str
    mask_01: np.ndarray
    photograph: str


@dataclass(frozen=True)
class ExpertElements:
    """What the experts gave: per category the elements kept (best first) and the number drawn.

    ``marks`` are the drawings rated at least ``PASSABLE`` (all, where there are no scores), best first: too many for
    the pool, but they show where a fixed object sits and how it looks.

    ``rejects`` counts drawings left out, by reason: ``unknown_category``, ``unknown_photograph`` (it cannot be
    shown to belong to the training split), ``test_photograph`` (it would leak), ``unrated``, ``empty``.
    """

    kept: dict[str, list[Element]] = field(default_factory=dict)
    marks: dict[str, list[Element]] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    rated: bool = False


def gather_experts(folder: Path, scores: Path | None, ingest: Dataset, top: float) -> ExpertElements:
    """Read all drawings of ``folder/*.json``, drop those that may not be used, keep the best rated of the rest.

    Per category, the ``top`` share (rounded down, at least one) with the highest mean score over the raters is
    kept; equal means are taken in the order of file name and shape. Without scores all are kept.

    Raises:
        InputError: the folder is missing, or a drawing or the score sheet cannot be read.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "MISSING", "no such folder of expert drawings",
                         "correct pool.expert_dir, or leave it out for a pool of real masks alone")
    drawings = [drawing for path in sorted(folder.glob("*.json")) for drawing in read_drawings(path)]
    sheet = read_scores(scores) if scores is not None else None
    if sheet is not None:
        _check_sheet(scores, sheet, drawings)
    finder = PhotographFinder(ingest)
    categories = list(ingest.category_names().values())
    rejects: Counter[str] = Counter()
    usable: dict[str, list[Element]] = {}
    for drawing in drawings:
        score = sheet.get((drawing.file, drawing.index)) if sheet is not None else None
        found = finder.find(drawing.photograph)
        reason = _reason_against(drawing, found, categories, sheet is not None and score is None)
        if reason is not None or found is None:
            rejects[reason or "unknown_photograph"] += 1
            continue
        usable.setdefault(drawing.label, []).append(_element(folder, drawing, found, score))
    drawn = Counter(drawing.label for drawing in drawings if drawing.label in categories)
    kept = {name: keep_best(elements, top) if sheet is not None else elements for name, elements in usable.items()}
    marks = {name: [element for element in keep_best(elements, 1.0)
                    if element.score is None or element.score >= PASSABLE] for name, elements in usable.items()}
    return ExpertElements(kept, marks, dict(drawn), dict(rejects), sheet is not None)


def keep_best(elements: Sequence[Element], top: float) -> list[Element]:
    """The ``top`` share of rated elements by score (at least one), best first, ties by file and shape."""
    number = max(1, math.floor(top * len(elements) + 1e-9))
    ranked = sorted(enumerate(elements), key=lambda pair: (-(pair[1].score or 0.0), pair[0]))
    return [element for _, element in ranked[:number]]


def _reason_against(drawing: Drawing, found: ImageRecord | None, categories: list[str], unrated: bool) -> str | None:
    if drawing.label not in categories:
        return "unknown_category"
    if not drawing.mask_01.any():
        return "empty"
    if found is None:
        return "unknown_photograph"
    if found.split != "train" or found.source != "real":
        return "test_photograph"
    return "unrated" if unrated else None


def _element(folder: Path, drawing: Drawing, image: ImageRecord, score: Score | None) -> Element:
    if drawing.mask_01.shape != (image.height, image.width):
        raise InputError(str(folder / drawing.file), "C1",
                         f"drawn on {drawing.mask_01.shape} (height, width), but {image.file_name} has "
                         f"{(image.height, image.width)}",
                         "draw on the photograph that was ingested")
    box, bitmap = tight(drawing.mask_01)
    return Element("expert", drawing.label, f"{drawing.file}#{drawing.index}", image.file_name, image.group_id,
                   (image.height, image.width), box, bitmap, score.mean if score is not None else None)


def _check_sheet(path: Path | None, sheet: dict[tuple[str, int], Score], drawings: Sequence[Drawing]) -> None:
    known = {(drawing.file, drawing.index): drawing.label for drawing in drawings}
    for key, score in sheet.items():
        if key not in known:
            raise InputError(f"{path}:{score.line}:file", "F7", f"no drawing {key[0]} with a shape {key[1]}",
                             "remove the row, or put the labelme file into pool.expert_dir")
        if known[key] != score.label:
            raise InputError(f"{path}:{score.line}:label", "F7", f"{key[0]} shape {key[1]} is labelled "
                             f"{known[key]!r}, not {score.label!r}", "rate the drawing as it is now")


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


def read_drawings(path: Path) -> Iterator[Drawing]:
    """The polygons of one labelme file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        size = (int(content["imageHeight"]), int(content["imageWidth"]))
        for index, shape in enumerate(content["shapes"]):
            points = np.round(np.array(shape["points"], float)).astype(np.int32)
            mask_01 = np.zeros(size, np.uint8)
            cv2.fillPoly(mask_01, [points], 1)
            yield Drawing(path.name, index, str(shape["label"]), mask_01, str(content["imagePath"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), "C14", f"not a labelme file ({error})", "export it from labelme again") from error

