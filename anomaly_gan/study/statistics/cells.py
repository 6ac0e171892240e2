"""A finished cell of a study as the statistics see it: its figures, and every detection matched to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.json_files import understood
from detection.comparison.result import CellResult, read_result
from detection.evaluation.figures import Figures
from detection.evaluation.kept_rows import read_rows

if TYPE_CHECKING:
    from detection.evaluation.evaluate import DetectionRow
    from detection.evaluation.statistics import Matches


@dataclass(frozen=True)
class StudyCell:
    """One trained detector, evaluated on the held-out objects of its fold.

    ``objects`` names the test objects, in the order in which ``matches`` counts
    them; ``matches`` holds, per category with a true instance, every detection matched at IoU 0.5.
    """

    arm: str
    detector: str
    fold: int
    seed: int
    figures: Figures
    objects: tuple[str, ...]
    matches: Mapping[str, Matches]

    def figure(self, category: str | None = None, metric: str = "map50") -> float | None:
        """``metric`` of the whole cell, or (``map50`` only) AP at IoU 0.5 of one category; None where undefined."""
        if category is None:
            return self.figures.figure(metric)
        of = self.figures.categories.get(category)
        return of.ap50 if of else None


def load_cells(run: Path, split_test: str = "test") -> list[StudyCell]:
    """The finished cells of a run folder, by name; what has no ``result.json`` yet is left out. Raises as
    :func:`study_cells`."""
    folders = sorted(path.parent for path in (run / "compare" / "cells").glob("*/result.json"))
    return study_cells(run, {folder: read_result(folder / "result.json") for folder in folders}, split_test)


def study_cells(run: Path, results: Mapping[Path, CellResult], split_test: str = "test") -> list[StudyCell]:
    """Finished cells of a run by their folders, from their ``result.json`` (see :func:`read_result`).

    Raises:
        InputError: K8 a cell was evaluated on another test split than ``run/ingest`` holds; FORMAT a damaged file.
    """
    if not results:
        return []
    from detection.comparison.cell import held_out_hash

    test = load_dataset(run / "ingest").split(split_test)
    expected = held_out_hash(test)
    for folder, result in results.items():
        if result.test_hash != expected:
            raise InputError(str(folder), "K8", "was evaluated on another test split", "delete it and run again")
    found = []
    for folder, result in results.items():
        with understood(folder, "delete the folder and run again"):
            found.append(_cell(result, read_rows(folder / "detections.json"), test))
    return found


def _cell(result: CellResult, rows: list[DetectionRow], test: Dataset) -> StudyCell:
    from detection.detectors.registry import detector
    from detection.evaluation.evaluate import matches_at_50

    cell = result.cell
    objects, matches = matches_at_50(test, rows, detector(cell.detector).segments)
    present = {item.category_id for item in test.annotations if not item.iscrowd}
    names = [name for key, name in sorted(test.category_names().items()) if key in present]
    return StudyCell(
        cell.arm,
        cell.detector,
        cell.fold,
        cell.seed,
        result.figures,
        tuple(objects),
        dict(zip(names, matches, strict=True)),
    )
