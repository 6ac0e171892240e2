"""What each method made: normal, mask, generated and a real one, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.records import Annotation, Dataset, ImageRecord
from ..config import ReportConfig
from ..folders import Run
from ..pictures import (
    Album,
    Picture,
    Window,
    cut,
    enlarge,
    largest,
    load_named,
    load_pixels,
    union_mask,
    window_around,
)
from ..tables import evenly, metric_tables, table
from .decisions import read_decisions


@dataclass(frozen=True)
class Row:
    """One line of a contact sheet; a picture that could not be had is None."""

    normal: Picture | None
    mask: Picture | None
    generated: Picture | None
    real: Picture | None
    file_name: str
    refused: bool


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, Any]]:
    """One entry per method that generated."""
    ingest = run.get("ingest")
    train = ingest.dataset() if ingest else None
    train = train.split("train") if train else None
    found = []
    for method in run.methods("generate"):
        stage = run.stages[f"generate@{method}"]
        made = stage.dataset()
        if made is None:
            continue
        refused = read_decisions(run.get(f"gate@{method}")).refused_at_once
        counts = [[category.name, *counted(made, category.id)] for category in made.categories]
        sheets = [(category.name, sheet(made, train, category.id, refused, album, config))
                  for category in made.categories[:config.categories]]
        found.append({"method": method, "counts": table(["category", "images", "instances"], counts),
                      "sheets": sheets, "images": len(made.images), "metrics": metric_tables(stage.metrics)})
    return found


def counted(dataset: Dataset, category_id: int) -> tuple[int, int]:
    """(images, instances) of one category."""
    found = [a for a in dataset.annotations if a.category_id == category_id]
    return len({a.image_id for a in found}), len(found)


def sheet(made: Dataset, train: Dataset | None, category_id: int, refused: set[str], album: Album,
          config: ReportConfig) -> list[Row]:
    """Evenly spaced candidates of one category, each beside a real instance cut out in the same way."""
    by_image = made.by_image()
    candidates = [image for image in made.images
                  if any(a.category_id == category_id for a in by_image.get(image.id, []))]
    chosen = evenly(candidates, config.rows)
    reals = real_windows(train, made, category_id, len(chosen), album, config)
    return [row(image, by_image[image.id], made, train, real, image.file_name in refused, album, config)
            for image, real in zip(chosen, reals, strict=True)]


def row(image: ImageRecord, annotations: Sequence[Annotation], made: Dataset, train: Dataset | None,
        real: Picture | None, refused: bool, album: Album, config: ReportConfig) -> Row:
    pixels = load_pixels(made, image)
    if pixels is None:
        return Row(None, None, None, real, image.file_name, refused)
    mask = union_mask(annotations, *pixels.shape[:2])
    window = window_around(largest(annotations).mask())
    base = base_pixels(image, train)
    normal = None
    if base is not None and base.shape[:2] == pixels.shape[:2]:
        normal = album.photo(enlarge(cut(base, window), config.cell_px), f"normal under {image.file_name}")
    shown_mask = enlarge(cut(mask * 255, window), config.cell_px, smooth=False)
    return Row(normal, album.drawing(shown_mask, f"mask of {image.file_name}"),
               album.photo(enlarge(cut(pixels, window), config.cell_px), f"generated {image.file_name}"),
               real, image.file_name, refused)


def base_pixels(image: ImageRecord, train: Dataset | None) -> np.ndarray | None:
    """The photograph a synthetic image was painted on; None where its provenance names none."""
    provenance = image.extra.get("provenance")
    if train is None or not isinstance(provenance, dict):
        return None
    name = provenance.get("base")
    return load_named(train, str(name)) if name else None


def real_windows(train: Dataset | None, made: Dataset, category_id: int, count: int, album: Album,
                 config: ReportConfig) -> list[Picture | None]:
    """Real training instances of the category, evenly spaced, in windows of the same making."""
    if train is None:
        return [None] * count
    name = made.category_names()[category_id]
    ids = {category.id for category in train.categories if category.name == name}
    images = {image.id: image for image in train.images}
    of_group = {images[a.image_id].group_id: a for a in reversed(train.annotations)
                if a.category_id in ids and a.image_id in images}
    chosen = evenly(list(of_group.values())[::-1], count)
    pictures: list[Picture | None] = []
    for annotation in chosen:
        image = images[annotation.image_id]
        pixels, window = load_pixels(train, image), window_around(annotation.mask())
        pictures.append(None if pixels is None else real_picture(pixels, window, name, image, album, config))
    return pictures + [None] * (count - len(pictures))


def real_picture(pixels: np.ndarray, window: Window, name: str, image: ImageRecord, album: Album,
                 config: ReportConfig) -> Picture | None:
    return album.photo(enlarge(cut(pixels, window), config.cell_px), f"real {name}: {image.file_name}")
