"""The mask pool: where the masks come from, what they look like, where they lie."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ...core.dataset import Annotation, Dataset, ImageRecord
from ..config import ReportConfig
from ..folders import Run
from ..pictures import Album, Picture, cut, heat_map, load_named, load_pixels, native_window, outlined, union_mask
from ..tables import Table, evenly, figure, flatten, metric_tables, table
from . import pool_statistics

MASKS_FOR_HEAT = 400


def build(run: Run, album: Album, config: ReportConfig) -> dict[str, object] | None:
    stage = run.get("pool")
    pool = stage.dataset() if stage else None
    if stage is None or pool is None:
        return None
    ingest = run.get("ingest")
    real = ingest.dataset() if ingest else None
    of_category = items_of_category(pool)
    shown = list(of_category.items())[: config.categories]
    return {
        "simulated": str(stage.config.get("expert_dir")).startswith("embedded:"),
        "counts": count_table(pool, of_category),
        "overlays": [(name, *overlays(pool, real, items, album, config)) for name, items in shown] if real else [],
        "heat": [(name, *heat_pair(name, items, pool, real, album, config)) for name, items in shown],
        "ancestry": ancestry(pool, real, of_category, album, config) if real else None,
        "metrics": metric_tables(stage.metrics, skip=("evaluation", "plausibility")),
        **pool_statistics.build(stage, album, config),
    }


def items_of_category(pool: Dataset) -> dict[str, list[ImageRecord]]:
    """Pool items by category name, in pool order."""
    found: dict[str, list[ImageRecord]] = {category.name: [] for category in pool.categories}
    for image in pool.images:
        found.setdefault(str(image.extra.get("category", "?")), []).append(image)
    return found


def count_table(pool: Dataset, of_category: dict[str, list[ImageRecord]]) -> Table:
    by_image = pool.by_image()
    rows = []
    for name, items in of_category.items():
        elements = [a for item in items for a in by_image.get(item.id, [])]
        kinds = [a.provenance.get("kind") for a in elements]
        scores = [a.provenance["expert_score"] for a in elements if a.provenance.get("expert_score") is not None]
        rows.append(
            [
                name,
                len(items),
                len(elements),
                kinds.count("prior"),
                kinds.count("expert"),
                len({str(a.provenance.get("parent")) for a in elements}),
                len({item.group_id for item in items}),
                sum(scores) / len(scores) if scores else None,
            ]
        )
    return table(
        ["category", "masks", "elements", "prior", "expert", "distinct parents", "normal groups", "mean expert score"],
        rows,
    )


def overlays(
    pool: Dataset, real: Dataset, items: list[ImageRecord], album: Album, config: ReportConfig
) -> tuple[list[Picture | None], list[Picture | None]]:
    """Pool masks outlined on the normal photographs they were placed on: around the mask, and whole."""
    by_image = pool.by_image()
    pictures: list[Picture | None] = []
    whole: list[Picture | None] = []
    for item in evenly(items, config.rows):
        pixels = load_named(real, str(item.extra.get("normal_file", "")))
        if pixels is not None:
            mask = union_mask(by_image.get(item.id, []), *pixels.shape[:2])
            pictures.append(near(pixels, mask, f"pool mask {item.file_name}", album, config))
            whole.append(album.whole(outlined(pixels, mask, 1), f"pool mask {item.file_name}, whole photograph"))
    return pictures, whole


def heat_pair(
    name: str, items: list[ImageRecord], pool: Dataset, real: Dataset | None, album: Album, config: ReportConfig
) -> tuple[Picture | None, Picture | None]:
    """Where masks of the category lie, in the real training photographs and in the pool.

    Args:
        name: the category.
        items: its items in the pool.
        pool: the mask pool.
        real: the ingested data set; None where it is not at hand.
        album: keeps the images of the report within its size.
        config: the section of the configuration.

    Returns:
        Heat maps of the real masks and of the pool's; None where there are none.
    """
    by_image = pool.by_image()
    placed = [union_mask(by_image.get(item.id, []), item.height, item.width) for item in evenly(items, MASKS_FOR_HEAT)]
    observed = []
    if real is not None:
        train = real.split("train")
        ids = {category.id for category in train.categories if category.name == name}
        grouped = {image_id: [a for a in found if a.category_id in ids] for image_id, found in train.by_image().items()}
        images = [image for image in train.images if grouped.get(image.id)]
        observed = [
            union_mask(grouped[image.id], image.height, image.width) for image in evenly(images, MASKS_FOR_HEAT)
        ]
    pictures = []
    for label, masks in (("real training set", observed), ("mask pool", placed)):
        drawn = heat_map(masks, config.cell_px)
        pictures.append(None if drawn is None else album.drawing(drawn, f"positions of {name} in the {label}"))
    return pictures[0], pictures[1]


def ancestry(
    pool: Dataset, real: Dataset, of_category: dict[str, list[ImageRecord]], album: Album, config: ReportConfig
) -> list[dict[str, object]]:
    """One mask of each kind followed back: the parent on its photograph, and where it was placed."""
    by_image = pool.by_image()
    first: dict[str, tuple[ImageRecord, Annotation]] = {}
    for items in of_category.values():
        for item in items:
            for annotation in by_image.get(item.id, []):
                first.setdefault(str(annotation.provenance.get("kind", "?")), (item, annotation))
    return [followed(kind, item, annotation, real, album, config) for kind, (item, annotation) in first.items()]


def followed(
    kind: str, item: ImageRecord, annotation: Annotation, real: Dataset, album: Album, config: ReportConfig
) -> dict[str, object]:
    """What became of one mask, from its parent to its place.

    Args:
        kind: of the mask: ``prior`` or ``expert``.
        item: the pool's item.
        annotation: one of its masks.
        real: the ingested data set.
        album: keeps the images of the report within its size.
        config: the section of the configuration.

    Returns:
        Images and words from the mask's parent to its place.
    """
    origin = annotation.provenance
    parents: dict[Any, list[Annotation]] = defaultdict(list)
    for candidate in real.annotations:
        parents[candidate.id].append(candidate)
    parent_picture = None
    parent_image = next((image for image in real.images if image.file_name == origin.get("parent_image")), None)
    if kind == "prior" and parent_image is not None:
        pixels = load_pixels(real, parent_image)
        if pixels is not None:
            mask = union_mask(parents.get(origin.get("parent"), []), *pixels.shape[:2])
            parent_picture = near(pixels, mask, f"parent {parent_image.file_name}", album, config)
    normal = load_named(real, str(item.extra.get("normal_file", "")))
    placed = None
    if normal is not None:
        mask = union_mask([annotation], *normal.shape[:2])
        placed = near(normal, mask, f"placed on {item.extra.get('normal_file')}", album, config)
    facts = {"kind": kind, "category": item.extra.get("category"), **origin}
    return {
        "parent": parent_picture,
        "placed": placed,
        "facts": [(key, in_words(value)) for key, value in facts.items() if key not in ("seed", "affine")],
    }


def near(pixels: np.ndarray, mask_01: np.ndarray, alt: str, album: Album, config: ReportConfig) -> Picture | None:
    """The surroundings of a mask, outlined."""
    window = native_window(mask_01, config.cell_px)
    return album.photo(outlined(cut(pixels, window), cut(mask_01, window), config.cell_px), alt)


def in_words(value: Any) -> Any:
    """A mapping of transforms as ``rotation 31.2, flipped yes``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {figure(item)}" for key, item in flatten(value))
    return value
