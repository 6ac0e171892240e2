"""Contact sheets as PNG files: what a method's photographs look like, chosen by nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.contact_sheet import contact_sheet
from ..core.dataset import Annotation, Dataset, ImageRecord
from ..core.images import write_png
from .folders import Run
from .nearest import NearestReal
from .pictures import cut, enlarge, largest, load_pixels, union_mask, window_around
from .sections.generated import base_pixels
from .tables import evenly

HEADER = ("normal", "mask", "generated", "nearest real")
CELL_PX = 112


def write_sheets(run: Run, rows: int, out: Path) -> list[str]:
    """Write ``contact@METHOD.png`` per method: accepted photographs (all candidates where no gate ran), evenly
    spaced, one block of columns per category. Returns the file names."""
    ingest = run.get("ingest")
    dataset = ingest.dataset() if ingest else None
    train = dataset.split("train") if dataset else None
    reals = NearestReal(train) if train else None
    names = []
    for method in run.methods("generate"):
        stage = run.get(f"gate@{method}") or run.get(f"generate@{method}")
        made = stage.dataset() if stage else None
        if made is None or train is None or reals is None or not made.images:
            continue
        blocks = [block(made, train, reals, category.id, rows) for category in made.categories]
        names.append(f"contact@{method}.png")
        write_png(out / names[-1], np.hstack(blocks))
    return names


def block(made: Dataset, train: Dataset, reals: NearestReal, category_id: int, rows: int) -> np.ndarray:
    """Rows of normal | mask | generated | the real training defect most like it, of one category."""
    name, pictures = made.category_names()[category_id], []
    for image, own in evenly(instances(made, category_id), rows):
        pixels, base = load_pixels(made, image), base_pixels(image, train)
        if pixels is None:
            continue
        mask = union_mask(own, *pixels.shape[:2])
        shown_mask = largest(own).mask()
        window = window_around(shown_mask)
        shown = [np.full_like(pixels, 255) if base is None else base, mask * np.uint8(255), pixels]
        line = [enlarge(cut(picture, window), CELL_PX, smooth=picture is not shown[1]) for picture in shown]
        nearest = reals.find(pixels, shown_mask, name)
        pictures.append([*line, enlarge(nearest.pixels, CELL_PX)] if nearest else line)
    pictures += [[]] * (rows - len(pictures))
    return contact_sheet(pictures, [*HEADER[:2], name, HEADER[3]], cell=CELL_PX)


def instances(dataset: Dataset, category_id: int) -> list[tuple[ImageRecord, list[Annotation]]]:
    """Photographs that show the category, with its instances."""
    by_image = dataset.by_image()
    found = [
        (image, [a for a in by_image.get(image.id, []) if a.category_id == category_id]) for image in dataset.images
    ]
    return [(image, own) for image, own in found if own]
