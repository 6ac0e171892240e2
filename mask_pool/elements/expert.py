"""The elements that the best rated of the experts' drawings become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import InputError

from ..drawing.drawings import Drawing, PhotographFinder, read_drawings
from ..scoring.config import EvaluateConfig
from ..scoring.evaluate import Evaluation
from ..scoring.evaluate import evaluate as evaluate_ratings
from ..scoring.ratings import RatedMask, Ratings, content_hash
from ..scoring.score_sheet import Sheet, read_sheet
from .real import Element, tight

PASSABLE = 5.0
"""Score from which a drawing counts as rather right than wrong."""
POOL_FILES = "pool/"
"""Ratings of pool items stand in the same sheets; their files begin like this, and a drawing's never does."""

Key = tuple[str, int]


@dataclass(frozen=True)
class ExpertElements:
    """What the experts gave: per category the elements kept (best first) and the number drawn.

    ``marks`` are the drawings rated at least ``PASSABLE`` (all, where there are no scores), best first: too many for
    the pool, but they show where a fixed object sits and how it looks.

    ``rejects`` counts drawings left out, by reason: ``unknown_category``, ``unknown_photograph`` (it cannot be
    shown to belong to the training split), ``test_photograph`` (it would leak), ``unrated``; and, as
    ``outdated_ratings``, drawings rated again after a change, whose first ratings no longer count. ``evaluation`` is
    the summary of the ratings (``Evaluation.summary``), with what the choice left out; None where there are none.
    """

    kept: dict[str, list[Element]] = field(default_factory=dict)
    marks: dict[str, list[Element]] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    rated: bool = False
    evaluation: dict[str, object] | None = None


def gather_experts(
    folder: Path,
    scores: Path | None,
    ingest: Dataset,
    *,
    evaluate: EvaluateConfig,
    seed: int = 0,
    line_width: float | None = None,
) -> ExpertElements:
    """Read all drawings of ``folder/*.json``, drop those that may not be used, keep the best rated of the rest.

    ``evaluate`` says how grades become scores and which are kept (equal scores in the order of file name and shape).
    Without a score sheet all are kept. Only ratings of usable drawings are evaluated;
    ``seed`` drives the interval of their agreement. ``line_width`` is that of ``read_drawings``.

    Args:
        folder: labelme files.
        scores: sheet of the grades; None: unrated, all kept.
        ingest: the ingested data set, whose photographs were drawn on.
        evaluate: how grades become scores and which drawings are kept.
        seed: of every random choice made here.
        line_width: pixels of lines that give none; None: refused.

    Returns:
        The masks by category, and the evaluation.

    Raises:
        InputError: the folder is missing, a drawing or the score sheet cannot be read, or (F7) the sheet rates a
            drawing that is not there, has another label, or was changed since and not rated again (by the hashes).
        ConfigError: ``evaluate`` does not fit the ratings.
    """
    if not folder.is_dir():
        raise InputError(
            str(folder),
            "MISSING",
            "no such folder of expert drawings",
            "correct pool.expert_dir, or leave it out for a pool of real masks alone",
        )
    drawings = read_drawings(folder, line_width)
    sheet = read_sheet(scores, evaluate.scale()) if scores is not None else None
    if scores is not None and sheet is not None:
        _check_sheet(scores, sheet, drawings)
    finder = PhotographFinder(ingest)
    categories = list(ingest.category_names().values())
    graded = _graded(sheet.ratings) if sheet is not None else set()
    rejects: Counter[str] = Counter()
    usable: dict[Key, Element] = {}
    hashes: dict[Key, str] = {}
    for drawing in drawings:
        key = drawing.file, drawing.index
        found = finder.find(drawing.photograph)
        reason = _reason_against(drawing, found, categories, sheet is not None and key not in graded)
        if reason is not None or found is None:
            rejects[reason or "unknown_photograph"] += 1
            continue
        usable[key] = _element(drawing, found)
        hashes[key] = content_hash(found.sha256, drawing.label, usable[key].full_mask()) if sheet is not None else ""
    drawn = dict(Counter(drawing.label for drawing in drawings if drawing.label in categories))
    if sheet is None or scores is None:
        every = _by_category(usable.values())
        return ExpertElements(every, {name: list(own) for name, own in every.items()}, drawn, dict(rejects))
    # a grade is of what the rater saw: a mask or photograph changed since is unrated
    current = _current(scores, sheet, hashes)
    if outdated := sum((mask.file, mask.shape) in usable for mask in sheet.ratings.masks) - len(current):
        rejects["outdated_ratings"] = outdated
    found_out = evaluate_ratings(_restrict(sheet.ratings, current), evaluate, seed)
    rated = _rate(usable, found_out)
    kept = _by_category(rated[mask.file, mask.shape] for mask in found_out.kept)
    best = sorted(rated.values(), key=lambda element: -(element.score or 0.0))
    marks = _by_category(element for element in best if (element.score or 0.0) >= PASSABLE)
    return ExpertElements(
        kept,
        {name: marks.get(name, []) for name in _by_category(best)},
        drawn,
        dict(rejects),
        True,
        found_out.summary(),
    )


def _reason_against(drawing: Drawing, found: ImageRecord | None, categories: list[str], unrated: bool) -> str | None:
    if drawing.label not in categories:
        return "unknown_category"
    if found is None:
        return "unknown_photograph"
    if found.split != "train" or found.source != "real":
        return "test_photograph"
    return "unrated" if unrated else None


def _element(drawing: Drawing, image: ImageRecord) -> Element:
    box, bitmap = tight(drawing.draw(image))
    return Element(
        "expert",
        drawing.label,
        f"{drawing.file}#{drawing.index}",
        image.file_name,
        image.group_id,
        (image.height, image.width),
        box,
        bitmap,
    )


def _by_category(elements: Iterable[Element]) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for element in elements:
        found.setdefault(element.category, []).append(element)
    return found


def _graded(ratings: Ratings) -> set[Key]:
    return {
        (mask.file, mask.shape)
        for mask, grades in zip(ratings.masks, ratings.grades, strict=True)
        if not np.isnan(grades).all()
    }


def _restrict(ratings: Ratings, masks: set[RatedMask]) -> Ratings:
    there = [index for index, mask in enumerate(ratings.masks) if mask in masks]
    return Ratings(
        tuple(ratings.masks[index] for index in there), ratings.raters, ratings.criteria, ratings.grades[there]
    )


def _rate(elements: Mapping[Key, Element], found: Evaluation) -> dict[Key, Element]:
    """The elements with their scores and raters' means, in the order of the drawings."""
    verdicts = {(one.mask.file, one.mask.shape): one for one in found.masks}
    return {
        key: replace(element, score=verdicts[key].verdict.score, raters=verdicts[key].raters)
        for key, element in elements.items()
    }


def _check_sheet(path: Path, sheet: Sheet, drawings: Sequence[Drawing]) -> None:
    known = {(drawing.file, drawing.index): drawing.label for drawing in drawings}
    for mask in sheet.ratings.masks:
        key, line = (mask.file, mask.shape), sheet.lines[mask]
        if mask.file.startswith(POOL_FILES):
            continue
        if key not in known:
            raise InputError(
                f"{path}:{line}:file",
                "F7",
                f"no drawing {key[0]} with a shape {key[1]}",
                "remove the row, or put the labelme file into pool.expert_dir",
            )
        if known[key] != mask.label:
            raise InputError(
                f"{path}:{line}:label",
                "F7",
                f"{key[0]} shape {key[1]} is labelled {known[key]!r}, not {mask.label!r}",
                "rate the drawing as it is now",
            )


def _current(path: Path, sheet: Sheet, hashes: Mapping[Key, str]) -> set[RatedMask]:
    """The rated masks that are the drawings of ``hashes`` as they are now.

    Ratings of an earlier state are left out where the drawing was rated again.
    """
    own = [mask for mask in sheet.ratings.masks if (mask.file, mask.shape) in hashes]
    current = {mask for mask in own if mask.sha256 in {"", hashes[mask.file, mask.shape]}}
    again = {(mask.file, mask.shape) for mask in current}
    for mask in own:
        if (mask.file, mask.shape) not in again:
            raise InputError(
                f"{path}:{sheet.lines[mask]}:sha256",
                "F7",
                f"{mask.file} shape {mask.shape} or its photograph was changed after this rating",
                "rate the drawing as it is now",
            )
    return current
