"""What the cells of a study of the lift say: means, lifts over the better reference, and their intervals.

The interval is that of the other studies (``study.statistics.estimate``): within each fold the test objects and the
trainings are drawn again, the same draw for all arms. A training here is a (draw of objects, seed).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from detection.evaluation.figures import Figures
from detection.evaluation.kept_rows import read_rows

from ...core.dataset import Dataset, load_dataset
from ...core.errors import InputError
from ..statistics.cells import StudyCell
from ..statistics.estimate import Estimate, arm_terms, estimate, paired_terms
from ..statistics.resample import DrawnCell, draw_cells
from .cell import DETECTIONS, data_hash
from .config import REFERENCES, LiftConfig
from .outcome import ArmLift, ArmMeans, CategoryMeans, Lifts, LiftSummary
from .plan import LiftCell
from .result import FIGURES, LiftResult

DRAWS = 1000
"""Numbers of trainings set apart for each draw of the objects."""


def mean_lifts(done: Mapping[LiftCell, LiftResult], arms: Iterable[str]) -> dict[str, float | None]:
    """Each arm's mean difference in AP@0.5 from the better reference, over the cells that both have."""
    return {arm: _mean_lift(done, arm) for arm in arms}


def _mean_lift(done: Mapping[LiftCell, LiftResult], arm: str) -> float | None:
    lifts = []
    for cell, result in done.items():
        if cell.arm != arm or result.row.ap50 is None:
            continue
        others = [
            done[twin].row.ap50
            for name in REFERENCES
            if (twin := LiftCell(cell.share, name, cell.exposures, cell.seed)) in done
        ]
        known = [value for value in others if value is not None]
        if known:
            lifts.append(result.row.ap50 - max(known))
    return float(np.mean(lifts)) if lifts else None


def study_cells(out: Path, done: Mapping[LiftCell, LiftResult]) -> dict[LiftCell, StudyCell]:
    """The finished cells as the statistics know them.

    Raises:
        InputError: K8 a cell was evaluated on other test photographs than its data set holds; a file is missing.
    """
    tests: dict[int, Dataset] = {}
    result = {}
    for cell, content in done.items():
        if cell.share.fold not in tests:
            tests[cell.share.fold] = _test_split(out, cell)
        result[cell] = _study_cell(out, cell, content, tests[cell.share.fold])
    return result


def _test_split(out: Path, cell: LiftCell) -> Dataset:
    return load_dataset(out / "data" / cell.share.name / "ingest").split("test")


def _study_cell(out: Path, cell: LiftCell, content: LiftResult, test: Dataset) -> StudyCell:
    from detection.detectors.registry import detector
    from detection.evaluation.evaluate import matches_at_50

    folder = cell.folder(out)
    if content.test_hash != data_hash(test):
        raise InputError(str(folder), "K8", "was evaluated on another test split", "delete it and run again")
    rows = read_rows(folder / DETECTIONS)
    name = content.row.detector
    objects, matches = matches_at_50(test, rows, detector(name).segments)
    present = {item.category_id for item in test.annotations if not item.iscrowd}
    names = [label for key, label in sorted(test.category_names().items()) if key in present]
    training = cell.share.draw * DRAWS + cell.seed
    return StudyCell(
        cell.arm,
        name,
        cell.share.fold,
        training,
        content.figures,
        tuple(objects),
        dict(zip(names, matches, strict=True)),
    )


def summarise(
    config: LiftConfig, out: Path, done: Mapping[LiftCell, LiftResult], tried: int, failed: int
) -> LiftSummary:
    """The learning curve, every arm by objects, the lifts, and sentences."""
    cells = study_cells(out, done)
    drawn = {}
    if config.bootstrap and cells:
        keys = list(cells)
        drawn = dict(zip(keys, draw_cells([cells[key] for key in keys], config.bootstrap, config.seed), strict=True))
    groups: dict[tuple[int, float, str], list[LiftCell]] = defaultdict(list)
    for cell in done:
        groups[cell.share.objects, cell.exposures, cell.arm].append(cell)
    table = [_arm_row(key, groups[key], done, drawn, config.seed) for key in sorted(groups, key=_order)]
    lifts = [
        row
        for objects in sorted({key[0] for key in groups}, key=_many)
        if (row := _lifts(objects, config, groups, drawn, done)) is not None
    ]
    return LiftSummary(config.name, config.dataset, len(done), failed, tried, table, lifts)


def _many(objects: int) -> float:
    return objects or np.inf


def _order(key: tuple[int, float, str]) -> tuple[float, float, str]:
    return _many(key[0]), key[1], key[2]


def _arm_row(
    key: tuple[int, float, str],
    cells: Sequence[LiftCell],
    done: Mapping[LiftCell, LiftResult],
    drawn: Mapping[LiftCell, DrawnCell],
    seed: int,
) -> ArmMeans:
    found = estimate(arm_terms([drawn[cell] for cell in cells]), seed) if drawn else None
    return ArmMeans(
        objects=key[0] or "all",
        exposures=key[1],
        arm=key[2],
        cells=len(cells),
        ap50_interval=found.interval if found else None,
        figures={name: _mean([done[cell].row.figure(name) for cell in cells]) for name in FIGURES},
        categories=_categories([done[cell].figures for cell in cells]),
        real_defective=_mean([done[cell].real_defective for cell in cells]),
        seconds=_mean([done[cell].seconds.training for cell in cells]),
    )


def _categories(figures: Sequence[Figures]) -> dict[str, CategoryMeans]:
    means = {}
    for name in sorted({name for one in figures for name in one.categories}):
        own = [one.categories[name] for one in figures if name in one.categories]
        means[name] = CategoryMeans(
            _mean([item.ap50 for item in own]),
            _mean([item.ap30 for item in own]),
            _mean([item.pixel_ap for item in own]),
            _mean([item.iou for item in own]),
        )
    return means


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _lifts(
    objects: int,
    config: LiftConfig,
    groups: Mapping[tuple[int, float, str], Sequence[LiftCell]],
    drawn: Mapping[LiftCell, DrawnCell],
    done: Mapping[LiftCell, LiftResult],
) -> Lifts | None:
    """Every arm against the better reference at the study's own length; None where no arm but references is there."""
    length = config.detect.exposures
    present = {arm: groups[objects, length, arm] for arm in config.arms if groups.get((objects, length, arm))}
    better = better_reference(present, done)
    if better is None or len(present) < 2:
        return None
    rows = []
    for arm, cells in present.items():
        if arm == better:
            continue
        found = _paired(cells, present[better], drawn, config.seed)
        pairs = _pairs(cells, present[better])
        rows.append(
            ArmLift(
                arm,
                len(pairs),
                _mean_difference(pairs, done, "ap50"),
                found.interval if found else None,
                {name: _mean_difference(pairs, done, name) for name in FIGURES[1:]},
            )
        )
    return Lifts(objects or "all", length, better, rows)


def better_reference(present: Mapping[str, Sequence[LiftCell]], done: Mapping[LiftCell, LiftResult]) -> str | None:
    """Of the references among the arms the one with the higher mean AP@0.5 over the cells that both have; where one
    has folds that the other lacks, the mean over all of them would compare folds. None where no reference is there."""
    known = [arm for arm in REFERENCES if any(done[cell].row.ap50 is not None for cell in present.get(arm, ()))]
    if len(known) < 2:
        return known[0] if known else None
    first, second = known
    gap = _mean_difference(_pairs(present[second], present[first]), done, "ap50")
    return second if gap is not None and gap > 0 else first


def _pairs(cells: Sequence[LiftCell], others: Sequence[LiftCell]) -> list[tuple[LiftCell, LiftCell]]:
    twins = {(other.share, other.seed): other for other in others}
    return [(cell, twins[cell.share, cell.seed]) for cell in cells if (cell.share, cell.seed) in twins]


def _mean_difference(
    pairs: Sequence[tuple[LiftCell, LiftCell]], done: Mapping[LiftCell, LiftResult], name: str
) -> float | None:
    values = [(done[first].row.figure(name), done[second].row.figure(name)) for first, second in pairs]
    return _mean([first - second for first, second in values if first is not None and second is not None])


def _paired(
    cells: Sequence[LiftCell], others: Sequence[LiftCell], drawn: Mapping[LiftCell, DrawnCell], seed: int
) -> Estimate | None:
    if not drawn:
        return None
    first, second = (arm_terms([drawn[cell] for cell in group]) for group in (cells, others))
    return estimate(paired_terms(first, second), seed)
