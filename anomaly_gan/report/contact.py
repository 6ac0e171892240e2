"""Contact sheets as PNG files: what a method's photographs look like, chosen by nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.contact_sheet import contact_sheet, magnify
from ..core.dataset import Annotation, Dataset, ImageRecord
from ..core.images import write_png
from .folders import Run
from .nearest import NearestReal
from .pictures import cut, largest, load_pixels, native_window, union_mask
from .sections.generated import base_pixels
from .tables import evenly

HEADER = ("normal", "mask", "generated", "nearest real")
CELL_PX = 192


def write_sheets(run: Run, rows: int, out: Path) -> list[str]:
    """Write ``contact@METHOD.png`` per method: accepted photographs (all candidates where no gate ran), evenly
    spaced, one block of columns per category. Returns the file names."""
    ingest = run.get("ingest")
    dataset = ingest.dataset() if ingest else None
    train = dataset.split("train") if dataset else None
    nearest_real = NearestReal(train) if train else None
    names = []
    for method in run.methods("generate"):
        stage = run.get(f"gate@{method}") or run.get(f"generate@{method}")
        made = stage.dataset() if stage else None
        if made is None or train is None or nearest_real is None or not made.images:
            continue
        blocks = [block(made, train, nearest_real, category.id, rows) for category in made.categories]
        names.append(f"contact@{method}.png")
        write_png(out / names[-1], np.hstack(blocks))
    return names


def block(made: Dataset, train: Dataset, nearest_real: NearestReal, category_id: int, rows: int) -> np.ndarray:
    """Rows of normal | mask | generated | the real training defect most like it, of one category."""
    name, pictures = made.category_names()[category_id], []
    for image, own in evenly(instances(made, category_id), rows):
        pixels, base = load_pixels(made, image), base_pixels(image, train)
        if pixels is None:
            continue
        mask = union_mask(own, *pixels.shape[:2])
        shown_mask = largest(own).mask()
        window = native_window(shown_mask, CELL_PX, cells=1)  # a cell shows no more
        shown = [np.full_like(pixels, 255) if base is None else base, mask * np.uint8(255), pixels]
        line = [framed(cut(picture, window)) for picture in shown]
        nearest = nearest_real.find(pixels, shown_mask, name)
        pictures.append([*line, framed(nearest.around(CELL_PX))] if nearest else line)
    pictures += [[]] * (rows - len(pictures))
    return contact_sheet(pictures, [*HEADER[:2], name, HEADER[3]], cell=CELL_PX)


def framed(pixels: np.ndarray) -> np.ndarray:
    """A square of ``CELL_PX``: the middle of a larger picture at native scale, a smaller one magnified by a whole
    factor, on paper."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - CELL_PX) // 2), max(0, (width - CELL_PX) // 2)
    shown = magnify(pixels[top : top + CELL_PX, left : left + CELL_PX], CELL_PX)
    square = np.full((CELL_PX, CELL_PX, *shown.shape[2:]), 255, np.uint8)
    y, x = (CELL_PX - shown.shape[0]) // 2, (CELL_PX - shown.shape[1]) // 2
    square[y : y + shown.shape[0], x : x + shown.shape[1]] = shown
    return square


def instances(dataset: Dataset, category_id: int) -> list[tuple[ImageRecord, list[Annotation]]]:
    """Photographs that show the category, with its instances."""
    by_image = dataset.by_image()
    found = [
        (image, [a for a in by_image.get(image.id, []) if a.category_id == category_id]) for image in dataset.images
    ]
    return [(image, own) for image, own in found if own]
