"""The two pictures of a comparison. The same results give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from anomaly_gan.core.contact_sheet import contact_sheet
from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord
from anomaly_gan.core.files import atomic_path
from anomaly_gan.core.images import read_record, to_mode, write_png
from anomaly_gan.core.masks import Rle, decode_rle

from ..detectors.config import NO_AUGMENTATION
from ..evaluation.metric_names import TITLES
from .outcome import ArmSummary, DetectorSummary

if TYPE_CHECKING:
    from ..evaluation.evaluate import DetectionRow

SHOWN = ("map50", "map", "miou", "image_recall_at_5")
ON_MASKS = ("map50", "map", "miou")
TRUE_RGB, FOUND_RGB = (0, 158, 115), (213, 94, 0)  # a green and a red that colour-blind readers tell apart
ROWS, CELL = 6, 256


def write_lift(path: Path, parts: Mapping[str, DetectorSummary]) -> None:
    """Each arm's mean and 95 % interval over seeds for each metric, single seeds as dots; one row per detector."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    arms = [item for part in parts.values() for item in part.arms.values()]
    # a panel of nothing but zeros shows nothing
    metrics = [name for name in SHOWN if any(any(level.values) for item in arms if (level := item.metrics[name]))]
    columns = max(1, len(metrics))
    figure = Figure(figsize=(3.4 * columns, 3.4 * len(parts)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for row, (detector, part) in enumerate(parts.items()):
        for column, name in enumerate(metrics, start=1):
            axes = figure.add_subplot(len(parts), columns, row * columns + column)
            _draw_arms(axes, part.arms, name)
            of = f" ({part.judged_on})" if name in ON_MASKS else ""
            axes.set_title(f"{TITLES[name]}{of}" + (f", {detector}" if len(parts) > 1 else ""), fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _draw_arms(axes: Any, arms: Mapping[str, ArmSummary], name: str) -> None:
    for place, (arm, item) in enumerate(arms.items()):
        level = item.metrics[name]
        colour = "0.35" if arm == NO_AUGMENTATION else "#0072b2"
        if level is None:
            continue
        value = level.interval
        axes.plot([place] * len(level.values), level.values, "o", color=colour, alpha=0.45, markersize=4)
        axes.plot([place - 0.22, place + 0.22], [value.mean] * 2, color=colour, linewidth=2)
        if value.low is not None:
            axes.plot([place, place], [value.low, value.high], color=colour, linewidth=1)
    axes.set_xticks(range(len(arms)), list(arms), rotation=30, ha="right")
    axes.set_xlim(-0.6, len(arms) - 0.4)
    axes.grid(axis="y", alpha=0.3)


def write_detections(path: Path, test: Dataset, found: Mapping[str, list[DetectionRow]], threshold: float) -> None:
    """A few test photographs at native scale: the truth beside what each arm's detector finds at ``threshold``."""
    shown = _shown_images(test)
    truth = test.by_image()
    rows = []
    for image in shown:
        pixels = to_mode(read_record(test, image, gray=test.gray), "RGB")
        own = truth.get(image.id, [])
        row = [_cell(_outlined(pixels, [(item.segmentation, item.bbox, "") for item in own], TRUE_RGB), own)]
        for detections in found.values():
            sure = [
                (item.get("segmentation"), item["bbox"], f"{item['score']:.2f}")
                for item in detections
                if item["image_id"] == image.id and item["score"] >= threshold
            ]
            row.append(_cell(_outlined(pixels, sure, FOUND_RGB), own))
        rows.append(row)
    write_png(path, contact_sheet(rows, ("truth", *found), cell=CELL))


def _shown_images(test: Dataset) -> list[ImageRecord]:
    """Photographs of different objects, going round the categories, and a normal one at the end."""
    image_of = {image.id: image for image in test.images}
    queues = [
        [image_of[i] for i in dict.fromkeys(a.image_id for a in test.annotations if a.category_id == key)]
        for key in sorted(test.category_names())
    ]
    chosen: list[ImageRecord] = []
    seen: set[str] = set()
    for turn in range(max((len(queue) for queue in queues), default=0)):
        for queue in queues:
            if turn < len(queue) and queue[turn].group_id not in seen and len(chosen) < ROWS - 1:
                chosen.append(queue[turn])
                seen.add(queue[turn].group_id)
    return chosen + test.normals()[:1]


def _outlined(
    pixels: np.ndarray,
    instances: Sequence[tuple[Rle | None, Sequence[float], str]],
    colour: tuple[int, int, int],
) -> np.ndarray:
    """The photograph, at its own size, with each instance's outline (its box where it has no mask) and label."""
    drawn = pixels.copy()
    for rle, box, label in instances:
        x, y, width, height = (round(value) for value in box)
        if rle is None:
            cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, 1)
        else:
            outlines, _ = cv2.findContours(decode_rle(rle), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, outlines, -1, colour, 1)
        if label:
            cv2.putText(drawn, label, (x, max(9, y - 2)), cv2.FONT_HERSHEY_SIMPLEX, 0.35, colour, 1, cv2.LINE_AA)
    return drawn


def _cell(drawn: np.ndarray, items: Sequence[Annotation]) -> np.ndarray:
    """The sheet's cell: the photograph at native scale around its largest true defect (its middle where it has none);
    one smaller than the cell stands on paper, enlarged by a whole factor where two fit."""
    height, width = drawn.shape[:2]
    x, y, w, h = max(items, key=lambda item: item.area).bbox if items else (0, 0, width, height)
    left = min(max(x + w // 2 - CELL // 2, 0), max(0, width - CELL))
    top = min(max(y + h // 2 - CELL // 2, 0), max(0, height - CELL))
    shown = drawn[top : top + CELL, left : left + CELL]
    factor = max(1, CELL // max(shown.shape[:2]))
    shown = shown.repeat(factor, axis=0).repeat(factor, axis=1)
    cell = np.full((CELL, CELL, 3), 255, np.uint8)
    above, beside = (CELL - shown.shape[0]) // 2, (CELL - shown.shape[1]) // 2
    cell[above : above + shown.shape[0], beside : beside + shown.shape[1]] = shown
    return cell
