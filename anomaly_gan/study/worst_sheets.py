"""The failure pictures of a study: what an arm misses and what it takes for a defect, beside ``none``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from detection.comparison.plots import FOUND_RGB, TRUE_RGB
from detection.detectors.config import NO_AUGMENTATION
from detection.evaluation.evaluate import DetectionRow

from ..core.contact_sheet import PAPER, contact_sheet, magnify
from ..core.images import to_mode, write_png
from ..core.masks import decode_rle
from ..report.pictures import Window, cut, load_pixels, native_window
from .worst import Evaluated, Loss, Worst

CELL = 192
VISIBLE = 0.25
"""Detections below this score are drawn only where a miss or a false alarm is about them."""
LABELS = 3
"""Detections of a picture that are named below it."""
WINDOW_RGB = (0, 114, 178)


def write_worst(out: Path, found: Sequence[Worst]) -> dict[str, Worst]:
    """Write ``failures_ARM.png`` (misses on the left, false alarms on the right) of the first detector's arms and
    ``failures_ARM@DETECTOR.png`` of the others', and remove those of another time. Returns what stands in which file.
    """
    first = min((one.detector for one in found), default="")
    named = {
        f"failures_{one.arm}" + (f"@{one.detector}" if one.detector != first else "") + ".png": one
        for one in found
        if one.losses
    }
    for path in out.glob("failures_*.png"):
        if path.name not in named:
            path.unlink()
    for name, one in named.items():
        sides = [
            [row for loss in one.losses if loss.kind == kind and (row := sheet_row(loss, one.arm)) is not None]
            for kind in ("miss", "false alarm")
        ]
        if any(sides):
            write_png(out / name, beside([np.vstack(rows) for rows in sides if rows]))
    return {name: one for name, one in named.items() if (out / name).is_file()}


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures (H, W, 3) side by side on paper white, their tops in one line."""
    high = max(len(picture) for picture in pictures)
    return np.hstack(
        [np.pad(picture, ((0, high - len(picture)), (0, 12), (0, 0)), constant_values=PAPER) for picture in pictures]
    )


def sheet_row(loss: Loss, arm: str) -> np.ndarray | None:
    """Truth | none | arm in a window around the place, at native scale, or enlarged by a whole factor where that is
    small; None where it cannot be read."""
    test = loss.fold.test
    pixels = load_pixels(test, loss.image)
    if pixels is None:
        return None
    window = window_of(loss, pixels.shape[:2])
    sides = [
        drawn(pixels, window, _shown(cells[loss.seed], loss), FOUND_RGB) for cells in (loss.fold.none, loss.fold.arm)
    ]
    name = test.category_names()[loss.category]
    header = [
        f"{loss.kind}: {name}, fold {loss.fold.fold} s{loss.seed}",
        f"{NO_AUGMENTATION}: {loss.none:.2f}",
        f"{arm}: {loss.arm:.2f}",
    ]
    return contact_sheet(
        [[to_mode(picture, "RGB") for picture in (drawn(pixels, window, _truth(loss), TRUE_RGB), *sides)]],
        header,
        cell=CELL,
    )


def whole(loss: Loss, arm: str) -> np.ndarray | None:
    """The photograph at its own size, RGB, with the truth, what the arm finds, and the sheet's window; None where it
    cannot be read."""
    pixels = load_pixels(loss.fold.test, loss.image)
    if pixels is None:
        return None
    picture, everything = to_mode(pixels, "RGB").copy(), (0, 0, *pixels.shape[1::-1])
    for shown, colour in ((_truth(loss), TRUE_RGB), (_shown(loss.fold.arm[loss.seed], loss), FOUND_RGB)):
        picture = drawn(picture, everything, shown, colour, cell=1)
    x, y, width, height = window_of(loss, pixels.shape[:2])
    cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), WINDOW_RGB, 1)
    return picture


def window_of(loss: Loss, shape: Sequence[int]) -> Window:
    """The part of the photograph that the sheet shows."""
    place = np.zeros(tuple(shape), np.uint8)
    x, y, width, height = (round(value) for value in loss.box_xywh)
    place[max(0, y) : y + max(1, height), max(0, x) : x + max(1, width)] = 1
    return native_window(place, CELL)


def _truth(loss: Loss) -> list[tuple[np.ndarray, str]]:
    items = loss.fold.test.by_image().get(loss.image.id, [])
    return [(item.mask(), "") for item in items if not item.iscrowd]


def _shown(cell: Evaluated, loss: Loss) -> list[tuple[np.ndarray, str]]:
    """Masks (boxes where there are none) of the detections on the photograph with score and category, the surest
    first."""
    about, names = cell.about(loss.image.id, loss.missed), loss.fold.test.category_names()
    rows = [
        row
        for row in cell.rows
        if row["image_id"] == loss.image.id and (row["score"] >= VISIBLE or any(row is other for other in about))
    ]
    return [
        (_mask(row, loss), f"{row['score']:.2f} {names[row['category_id']]}")
        for row in sorted(rows, key=lambda row: -row["score"])
    ]


def _mask(row: DetectionRow, loss: Loss) -> np.ndarray:
    if row.get("segmentation") is not None:
        return decode_rle(row["segmentation"])
    mask = np.zeros((loss.image.height, loss.image.width), np.uint8)
    x, y, width, height = (round(value) for value in row["bbox"])
    mask[max(0, y) : y + height, max(0, x) : x + width] = 1
    return mask


def drawn(
    pixels: np.ndarray,
    window: Window,
    instances: Sequence[tuple[np.ndarray, str]],
    colour: tuple[int, int, int],
    cell: int = CELL,
) -> np.ndarray:
    """A window of the photograph, magnified to ``cell`` where it is smaller, with the outlines in it, and below what
    the first of them are: RGB."""
    picture = to_mode(magnify(cut(pixels, window), cell), "RGB").copy()
    labels = []
    for mask, label in instances:
        part = magnify((cut(mask, window) != 0).astype(np.uint8), cell)
        found, _ = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, found, -1, colour, 1)
        labels += [label] if found and label else []
    for line, label in enumerate(reversed(labels[:LABELS])):
        place = 3, picture.shape[0] - 4 - 11 * line
        for ink, width in (((255, 255, 255), 3), (colour, 1)):
            cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.34, ink, width, cv2.LINE_AA)
    return picture
