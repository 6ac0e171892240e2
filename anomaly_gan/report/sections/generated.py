"""What each method made: normal, mask, generated and the nearest real defect, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.contact_sheet import magnify
from ...core.dataset import Annotation, Dataset, ImageRecord
from ..config import ReportConfig
from ..folders import Run
from ..nearest import Nearest, NearestReal
from ..pictures import Album, Picture, cut, largest, load_named, load_pixels, native_window, union_mask
from ..tables import evenly, metric_tables, table
from .decisions import read_decisions


@dataclass(frozen=True)
class Row:
    """One line of a contact sheet; a picture that could not be had is None."""

    normal: Picture | None
    mask: Picture | None
    generated: Picture | None
    real: Picture | None
    whole: Picture | None
    likeness: float | None
    file_name: str
    refused: bool


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, object]]:
    """One entry per method that generated."""
    ingest = run.get("ingest")
    train = ingest.dataset() if ingest else None
    train = train.split("train") if train else None
    nearest_real = NearestReal(train) if train else None
    found = []
    for method in run.methods("generate"):
        stage = run.stages[f"generate@{method}"]
        made = stage.dataset()
        if made is None:
            continue
        refused = read_decisions(run.get(f"gate@{method}")).refused_at_once
        counts = [[category.name, *counted(made, category.id)] for category in made.categories]
        sheets = [
            (category.name, sheet(made, train, nearest_real, category.id, refused, album, config))
            for category in made.categories[: config.categories]
        ]
        found.append(
            {
                "method": method,
                "counts": table(["category", "images", "instances"], counts),
                "sheets": sheets,
                "images": len(made.images),
                "metrics": metric_tables(stage.metrics),
            }
        )
    return found


def counted(dataset: Dataset, category_id: int) -> tuple[int, int]:
    """(images, instances) of one category."""
    found = [a for a in dataset.annotations if a.category_id == category_id]
    return len({a.image_id for a in found}), len(found)


def sheet(
    made: Dataset,
    train: Dataset | None,
    nearest_real: NearestReal | None,
    category_id: int,
    refused: set[str],
    album: Album,
    config: ReportConfig,
) -> list[Row]:
    """Evenly spaced candidates of one category, each beside the real training defect that is most like it.

    Args:
        made: the generated data set.
        train: the training split; None where it is not at hand.
        nearest_real: looks for the most similar real defect; None: not shown.
        category_id: the category, as the data set numbers it.
        refused: file names that the gate refused.
        album: keeps the images of the report within its size.
        config: the section of the configuration.

    Returns:
        One row per candidate.
    """
    by_image = made.by_image()
    candidates = [
        image for image in made.images if any(a.category_id == category_id for a in by_image.get(image.id, []))
    ]
    return [
        row(
            image, by_image[image.id], category_id, made, train, nearest_real, image.file_name in refused, album, config
        )
        for image in evenly(candidates, config.rows)
    ]


def row(
    image: ImageRecord,
    annotations: Sequence[Annotation],
    category_id: int,
    made: Dataset,
    train: Dataset | None,
    nearest_real: NearestReal | None,
    refused: bool,
    album: Album,
    config: ReportConfig,
) -> Row:
    """One candidate beside the real training defect that is most like it.

    Args:
        image: the generated photograph.
        annotations: its defects.
        category_id: the category, as the data set numbers it.
        made: the generated data set.
        train: the training split; None where it is not at hand.
        nearest_real: looks for the most similar real defect; None: not shown.
        refused: whether the gate refused it.
        album: keeps the images of the report within its size.
        config: the section of the configuration.

    Returns:
        Images of base, mask, result and nearest real defect.
    """
    pixels = load_pixels(made, image)
    if pixels is None:
        return Row(None, None, None, None, None, None, image.file_name, refused)
    mask = union_mask(annotations, *pixels.shape[:2])
    shown = largest([item for item in annotations if item.category_id == category_id])
    window = native_window(shown.mask(), config.cell_px)
    base = base_pixels(image, train)
    normal = None
    if base is not None and base.shape[:2] == pixels.shape[:2]:
        normal = album.photo(magnify(cut(base, window), config.cell_px), f"normal under {image.file_name}")
    shown_mask = magnify(cut(mask * 255, window), config.cell_px)
    nearest = nearest_real.find(pixels, shown.mask(), made.category_names()[category_id]) if nearest_real else None
    return Row(
        normal,
        album.drawing(shown_mask, f"mask of {image.file_name}"),
        album.photo(magnify(cut(pixels, window), config.cell_px), f"generated {image.file_name}"),
        real_picture(nearest, album, config),
        album.whole(pixels, f"generated {image.file_name}, whole"),
        nearest.correlation if nearest else None,
        image.file_name,
        refused,
    )


def real_picture(nearest: Nearest | None, album: Album, config: ReportConfig) -> Picture | None:
    if nearest is None:
        return None
    return album.photo(
        magnify(nearest.around(config.cell_px), config.cell_px),
        f"nearest real, r = {nearest.correlation:.2f}: {nearest.image.file_name}",
    )


def base_pixels(image: ImageRecord, train: Dataset | None) -> np.ndarray | None:
    """The photograph a synthetic image was painted on; None where its provenance names none."""
    provenance = image.extra.get("provenance")
    if train is None or not isinstance(provenance, dict):
        return None
    name = provenance.get("base")
    return load_named(train, str(name)) if name else None
