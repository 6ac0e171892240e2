"""The elements that the best rated of the experts' drawings become."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.records import Dataset, ImageRecord

from .cut import Element, tight
from .drawings import Drawing, PhotographFinder, read_drawings
from .scores import Sheet, read_sheet

PASSABLE = 5.0
"""Mean score from which a drawing counts as rather right than wrong."""


@dataclass(frozen=True)
class ExpertElements:
    """What the experts gave: per category the elements kept (best first) and the number drawn.

    ``marks`` are the drawings rated at least ``PASSABLE`` (all, where there are no scores), best first: too many for
    the pool, but they show where a fixed object sits and how it looks.

    ``rejects`` counts drawings left out, by reason: ``unknown_category``, ``unknown_photograph`` (it cannot be
    shown to belong to the training split), ``test_photograph`` (it would leak), ``unrated``.
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
    drawings = read_drawings(folder)
    sheet = read_sheet(scores) if scores is not None else None
    means = _means(sheet)
    if sheet is not None:
        _check_sheet(scores, sheet, drawings)
    finder = PhotographFinder(ingest)
    categories = list(ingest.category_names().values())
    rejects: Counter[str] = Counter()
    usable: dict[str, list[Element]] = {}
    for drawing in drawings:
        score = means.get((drawing.file, drawing.index))
        found = finder.find(drawing.photograph)
        reason = _reason_against(drawing, found, categories, sheet is not None and score is None)
        if reason is not None or found is None:
            rejects[reason or "unknown_photograph"] += 1
            continue
        usable.setdefault(drawing.label, []).append(_element(drawing, found, score))
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
    if found is None:
        return "unknown_photograph"
    if found.split != "train" or found.source != "real":
        return "test_photograph"
    return "unrated" if unrated else None


def _element(drawing: Drawing, image: ImageRecord, score: float | None) -> Element:
    box, bitmap = tight(drawing.draw(image))
    return Element("expert", drawing.label, f"{drawing.file}#{drawing.index}", image.file_name, image.group_id,
                   (image.height, image.width), box, bitmap, score)


def _means(sheet: Sheet | None) -> dict[tuple[str, int], float]:
    if sheet is None:
        return {}
    grades = sheet.ratings.grades
    return {(mask.file, mask.shape): float(np.nanmean(grades[index]))
            for index, mask in enumerate(sheet.ratings.masks) if not np.isnan(grades[index]).all()}


def _check_sheet(path: Path | None, sheet: Sheet, drawings: Sequence[Drawing]) -> None:
    known = {(drawing.file, drawing.index): drawing.label for drawing in drawings}
    for mask in sheet.ratings.masks:
        key, line = (mask.file, mask.shape), sheet.lines[mask]
        if key not in known:
            raise InputError(f"{path}:{line}:file", "F7", f"no drawing {key[0]} with a shape {key[1]}",
                             "remove the row, or put the labelme file into pool.expert_dir")
        if known[key] != mask.label:
            raise InputError(f"{path}:{line}:label", "F7", f"{key[0]} shape {key[1]} is labelled "
                             f"{known[key]!r}, not {mask.label!r}", "rate the drawing as it is now")
