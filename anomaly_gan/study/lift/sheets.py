"""Sheets of what a detector finds and misses, and of its false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from detection.evaluation.kept_rows import read_rows

from ...core.contact_sheet import LARGEST_CELL, contact_sheet
from ...core.dataset import Annotation, Dataset, load_dataset
from ...core.files import write_bytes
from ...core.images import read_record
from ...core.masks import decode_rle
from .cell import DETECTIONS
from .plan import LiftCell
from .result import LiftResult

if TYPE_CHECKING:
    from detection.evaluation.evaluate import DetectionRow

COLUMNS, ROWS, CELL = 8, 4, 128
TRUE_RGB, FOUND_RGB = (0, 158, 115), (213, 94, 0)
"""Outlines: the label, and what the detector says."""
SHOWN_SCORE = 0.3


def write_sheets(out: Path, cells: Sequence[LiftCell], done: Mapping[LiftCell, LiftResult]) -> None:
    """``found.jpg``, ``missed.jpg`` and ``alarms.jpg`` of the cell with the highest AP@0.5 that learnt from most."""
    ranked = sorted(
        (cell for cell in cells if done[cell].row.ap50 is not None),
        key=lambda cell: (cell.share.objects == 0, cell.share.objects, done[cell].row.ap50),
    )
    if not ranked:
        return
    cell = ranked[-1]
    test = load_dataset(out / "data" / cell.share.name / "ingest").split("test")
    rows = read_rows(cell.folder(out) / DETECTIONS)
    for name, pictures in pictures_of(test, rows).items():
        lines = [pictures[start : start + COLUMNS] for start in range(0, len(pictures), COLUMNS)]
        if lines:
            sheet = contact_sheet(lines, cell=CELL)
            colour = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR) if sheet.ndim == 3 else sheet
            write_bytes(out / f"{name}.jpg", cv2.imencode(".jpg", colour, (cv2.IMWRITE_JPEG_QUALITY, 88))[1].tobytes())


def pictures_of(test: Dataset, rows: Sequence[DetectionRow]) -> dict[str, list[np.ndarray]]:
    """The surroundings of test defects that a detection overlaps by half (``found``) or that none does (``missed``),
    and of the highest-scored detections on sound photographs (``alarms``); evenly spaced over the test split."""
    from detection.evaluation.evaluate import matched_at_50

    matched, alone = matched_at_50(test, list(rows), True)
    images = {image.id: image for image in test.images}
    sound = {image.id for image in test.normals()}
    by_image: dict[int, list[DetectionRow]] = {}
    for row in rows:
        if row["score"] >= SHOWN_SCORE:
            by_image.setdefault(row["image_id"], []).append(row)
    truth = test.by_image()

    def picture(image_id: int, box: Sequence[float]) -> np.ndarray:
        return _drawn(test, images[image_id], truth.get(image_id, []), by_image.get(image_id, []), box)

    result = {}
    for name, wanted in (("found", True), ("missed", False)):
        chosen = _spaced([item for item in test.annotations if not item.iscrowd and (item.id in matched) == wanted])
        result[name] = [picture(item.image_id, item.bbox) for item in chosen]
    false = sorted((rows[place] for place in alone if rows[place]["image_id"] in sound), key=lambda row: -row["score"])
    result["alarms"] = [picture(row["image_id"], row["bbox"]) for row in false[: COLUMNS * ROWS]]
    return result


def _spaced(items: list[Annotation]) -> list[Annotation]:
    most = COLUMNS * ROWS
    places = np.linspace(0, max(0, len(items) - 1), min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def _drawn(
    test: Dataset, image: Any, truth: Sequence[Annotation], found: Sequence[Mapping[str, Any]], box: Sequence[float]
) -> np.ndarray:
    pixels = read_record(test, image, gray=False)
    for rles, colour in (
        ([item.segmentation for item in truth], TRUE_RGB),
        ([row["segmentation"] for row in found], FOUND_RGB),
    ):
        for rle in rles:
            outlines, _ = cv2.findContours(decode_rle(rle), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(pixels, outlines, -1, colour, 1)
    x, y, width, height = (round(value) for value in box)
    side = min(LARGEST_CELL, max(CELL, round(1.4 * max(width, height))))
    top = int(np.clip(y + height // 2 - side // 2, 0, max(0, image.height - side)))
    left = int(np.clip(x + width // 2 - side // 2, 0, max(0, image.width - side)))
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])
