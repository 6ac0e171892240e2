"""Where each arm loses most against ``none``: the test photographs to look at, chosen by rule and not by eye.

A miss: a true defect that ``none`` finds and the arm does not. A false alarm: something that is no defect, of which the
arm is surer than ``none`` is of anything wrong on that photograph. Both are measured in score, mean over the seeds that
both have, so no threshold decides; matching is COCO's at IoU 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from detection.comparison.result import CellResult
from detection.detectors.config import NO_AUGMENTATION
from detection.detectors.registry import detector
from detection.evaluation.evaluate import DetectionRow, matched_at_50
from detection.evaluation.kept_rows import read_rows

from ..core.dataset import Annotation, Dataset, ImageRecord, load_dataset
from .plan import StudyRun

SHOWN = 4
"""Misses, and false alarms, that are shown of an arm: of as many different objects."""
LEAST = 0.1
"""Losses below this (in score, mean over seeds) are not worth a picture."""
UNSURE = 0.05
"""Detections below this score are left out: they could not make a difference of ``LEAST``."""
COLUMNS = (
    "arm",
    "detector",
    "kind",
    "fold",
    "file",
    "object",
    "category",
    "none",
    "arm_score",
    "loss",
    "seeds",
    "shown_seed",
)


@dataclass(frozen=True)
class Evaluated:
    """One cell photograph by photograph: annotation id -> the detection matched to it; image id -> the surest
    detection that matches nothing; all detections."""

    found: Mapping[int, DetectionRow]
    alarms: Mapping[int, DetectionRow]
    rows: Sequence[DetectionRow]

    def finds(self, annotation: int) -> float:
        """The score of what was matched to it; 0 for a miss."""
        return float(self.found[annotation]["score"]) if annotation in self.found else 0.0

    def alarm(self, image: int) -> float:
        return float(self.alarms[image]["score"]) if image in self.alarms else 0.0

    def about(self, image: int, annotation: int | None) -> list[DetectionRow]:
        """The detections behind ``finds`` and ``alarm``."""
        return [row for row in (self.found.get(annotation or 0), self.alarms.get(image)) if row is not None]


@dataclass(frozen=True)
class Fold:
    """The held-out photographs of one fold, and the cells of ``none`` and of an arm by their common seeds."""

    fold: int
    test: Dataset
    none: Mapping[int, Evaluated]
    arm: Mapping[int, Evaluated]


@dataclass(frozen=True)
class Loss:
    """One photograph on which an arm loses; scores are means over seeds, ``seed`` is where it loses most, ``missed``
    the annotation that a miss is about."""

    kind: Literal["miss", "false alarm"]
    fold: Fold
    image: ImageRecord
    category: int
    box_xywh: Sequence[float]
    none: float
    arm: float
    seed: int
    missed: int | None = None

    @property
    def size(self) -> float:
        return self.none - self.arm if self.kind == "miss" else self.arm - self.none

    def row(self, arm: str, name: str) -> dict[str, object]:
        """A row of ``failures.csv``, columns ``COLUMNS``."""
        return {
            "arm": arm,
            "detector": name,
            "kind": self.kind,
            "fold": self.fold.fold,
            "file": self.image.file_name,
            "object": self.image.group_id,
            "category": self.fold.test.category_names()[self.category],
            "none": self.none,
            "arm_score": self.arm,
            "loss": self.size,
            "seeds": len(self.fold.arm),
            "shown_seed": self.seed,
        }


@dataclass(frozen=True)
class Worst:
    """What an arm loses: the pictures to show, and how many true defects it finds less and more surely than none."""

    arm: str
    detector: str
    losses: Sequence[Loss]
    defects: int
    less: int
    more: int

    def sentence(self) -> str:
        return (
            f"{self.arm}: of {self.defects} held-out defects it finds {self.more} more surely than none and "
            f"{self.less} less surely (by {LEAST:g} in score or more, mean over seeds)."
        )


def read_fold(test: Dataset, results: Mapping[Path, CellResult], name: str) -> dict[str, dict[int, Evaluated]]:
    """Arm -> seed -> what a run's finished cells of one detector, by their folders, make of each photograph.

    Raises:
        InputError: a file of detections cannot be read.
    """
    judged: dict[str, dict[int, Evaluated]] = {}
    for folder, result in results.items():
        if result.cell.detector == name:
            rows = read_rows(folder / "detections.json")
            cell = evaluate_cell(test, rows, detector(name).segments)
            judged.setdefault(result.cell.arm, {})[result.cell.seed] = cell
    return judged


def evaluate_cell(test: Dataset, rows: Sequence[DetectionRow], segments: bool) -> Evaluated:
    """Match a cell's detections to the truth, each photograph by itself."""
    sure = [row for row in rows if row["score"] >= UNSURE]
    matches, unmatched = matched_at_50(test, sure, segments)
    alarms: dict[int, DetectionRow] = {}
    for at in unmatched:
        row = sure[at]
        if row["image_id"] not in alarms or row["score"] > alarms[row["image_id"]]["score"]:
            alarms[row["image_id"]] = row
    return Evaluated({number: sure[at] for number, at in matches.items()}, alarms, sure)


def worst_of(arm: str, name: str, folds: Sequence[Fold]) -> Worst:
    """The losses of an arm over all folds, the largest first, no object twice."""
    misses = [miss for fold in folds for miss in _misses(fold)]
    alarms = [alarm for fold in folds for alarm in _alarms(fold)]
    return Worst(
        arm,
        name,
        [*_chosen(misses), *_chosen(alarms)],
        len(misses),
        sum(miss.size >= LEAST for miss in misses),
        sum(miss.size <= -LEAST for miss in misses),
    )


def _misses(fold: Fold) -> list[Loss]:
    images = {image.id: image for image in fold.test.images}

    def loss(item: Annotation) -> Loss:
        none, arm = ({seed: cell.finds(item.id) for seed, cell in cells.items()} for cells in (fold.none, fold.arm))
        return Loss(
            "miss",
            fold,
            images[item.image_id],
            item.category_id,
            item.bbox,
            _mean(none),
            _mean(arm),
            max(arm, key=lambda seed: (none[seed] - arm[seed], -seed)),
            item.id,
        )

    return [loss(item) for item in fold.test.annotations if not item.iscrowd]


def _alarms(fold: Fold) -> list[Loss]:
    found = []
    for image in fold.test.images:
        none, arm = ({seed: cell.alarm(image.id) for seed, cell in cells.items()} for cells in (fold.none, fold.arm))
        seed = max(arm, key=lambda seed: (arm[seed] - none[seed], -seed))
        row = fold.arm[seed].alarms.get(image.id)
        if row is not None:
            found.append(
                Loss("false alarm", fold, image, row["category_id"], row["bbox"], _mean(none), _mean(arm), seed)
            )
    return found


def _chosen(losses: Sequence[Loss]) -> list[Loss]:
    chosen: dict[tuple[int, str], Loss] = {}
    order = sorted(losses, key=lambda loss: (-loss.size, loss.fold.fold, loss.image.file_name, tuple(loss.box_xywh)))
    for loss in order:
        if loss.size >= LEAST and len(chosen) < SHOWN:
            chosen.setdefault((loss.fold.fold, loss.image.group_id), loss)
    return list(chosen.values())


def _mean(values: Mapping[int, float]) -> float:
    return float(np.mean(list(values.values())))


def worst_arms(found: Sequence[tuple[StudyRun, Mapping[Path, CellResult]]]) -> list[Worst]:
    """Every arm of every detector that shares seeds with ``none``, from (run, its finished cells) of one variant.

    A run whose photographs are gone is left out.
    """
    result = []
    for name in sorted({result.cell.detector for _, cells in found for result in cells.values()}):
        folds: dict[str, list[Fold]] = {}
        for run, cells in found:
            if not cells or not (run.folder / "ingest" / "images").is_dir():
                continue
            test = load_dataset(run.folder / "ingest").split(run.config.compare.split_test)
            judged = read_fold(test, cells, name)
            base = judged.pop(NO_AUGMENTATION, {})
            for arm, own in judged.items():
                seeds = sorted(base.keys() & own.keys())
                if seeds:
                    folds.setdefault(arm, []).append(
                        Fold(run.fold, test, {seed: base[seed] for seed in seeds}, {seed: own[seed] for seed in seeds})
                    )
        result += [worst_of(arm, name, folds[arm]) for arm in sorted(folds)]
    return result
