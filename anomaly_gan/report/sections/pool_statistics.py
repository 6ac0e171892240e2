"""The pool's statistics, the experts' agreement and the masks' plausibility, where a run has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import InputError
from ..config import ReportConfig
from ..folders import StageFolder
from ..pictures import Album, Picture
from ..tables import Table, flatten, mapping, metric_tables, table

PICTURE = (1056, 440)
"""CSS pixels of a category's picture (1200 x 500 pixels in the file)."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "area px, real": ("sizes", "area_px", "real", "median"),
    "pool": ("sizes", "area_px", "pool", "median"),
    "elongation, real": ("shapes", "elongation", "real", "median"),
    "pool ": ("shapes", "elongation", "pool", "median"),
    "same places": ("positions", "overlap"),
    "diversity before": ("diversity", "before"),
    "after": ("diversity", "after"),
    "nearest real": ("nearest", "pool_to_real", "median"),
    "copies": ("nearest", "copies"),
    "parents": ("parents", "used"),
    "evenly used": ("parents", "effective"),
    "raters' score": ("scores", "median"),
}


def build(stage: StageFolder, album: Album, config: ReportConfig) -> dict[str, object]:
    """Parts of the section on the pool; each is empty where the stage has not written it.

    Raises:
        InputError: ``stats.json`` is damaged.
    """
    content = stage.json("stats.json")
    categories = content.get("categories", {})
    if not isinstance(categories, dict) or not all(isinstance(own, dict) for own in categories.values()):
        raise InputError(
            str(stage.folder / "stats.json"),
            "FORMAT",
            "its categories are no objects",
            "delete the stage's folder and run it again",
        )
    shown = list(categories)[: config.categories]
    return {
        "table": measured(categories) if categories else None,
        "pictures": [(name, found) for name in shown if (found := picture(stage, name, album)) is not None],
        "agreement": agreement(stage.metrics.get("evaluation")),
        "plausibility": metric_tables(found) if isinstance(found := stage.metrics.get("plausibility"), dict) else [],
    }


def measured(categories: Mapping[str, Any]) -> Table:
    """Medians of single elements, real beside pool, and what was used of the parents."""
    return table(
        ["category", *COLUMNS],
        [[name, *(at(own, path) for path in COLUMNS.values())] for name, own in categories.items()],
    )


def at(content: Any, path: tuple[str, ...]) -> float | int | None:
    """The number at the end of a path of keys, None where there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content if isinstance(content, int | float) else None


def picture(stage: StageFolder, name: str, album: Album) -> Picture | None:
    """The picture that the stage drew of a category; None where there is none, or the page has no room."""
    folder = (stage.folder / "stats").resolve()
    path = (folder / f"{name}.png").resolve() if "\0" not in name else folder
    if not (path.is_relative_to(folder) and path.is_file()):
        return None
    return album.file_png(path.read_bytes(), *PICTURE, f"sizes, shapes, places and outlines of {name}, real and pool")


def agreement(evaluation: Any) -> dict[str, object] | None:
    """How far the raters agree, each rater, and what the choice made of it."""
    if not isinstance(evaluation, Mapping) or not evaluation:
        return None
    found, raters = mapping(evaluation.get("agreement")), mapping(evaluation.get("raters"))
    rows: list[list[Any]] = []
    for group, label in (("alpha", "Krippendorff's alpha, {}"), ("alpha_by_criterion", "alpha of {}")):
        for name, own in mapping(found.get(group)).items():
            rows.append(
                [
                    label.format(name),
                    *(at(own, (key,)) for key in ("value", "low", "high", "items", "raters")),
                    mapping(own).get("reason") or "",
                ]
            )
    # Kendall's W wants every mask graded by every rater; where that is not so its reason stands last
    if concordance := mapping(found.get("kendall_w")):
        rows.append(
            [
                "Kendall's W",
                at(concordance, ("w",)),
                None,
                None,
                at(concordance, ("items",)),
                at(concordance, ("raters",)),
                concordance.get("reason") or "",
            ]
        )
    told = mapping(raters.get("flagged"))
    each = [
        [
            name,
            *(at(own, (key,)) for key in ("graded", "mean", "correlation", "bias")),
            mapping(told.get(name)).get("flag") or "",
        ]
        for name, own in mapping(raters.get("each")).items()
    ]
    return {
        "table": table(["agreement", "value", "low", "high", "masks", "raters", "why not"], rows) if rows else None,
        "raters": table(["rater", "graded", "mean", "correlation with the others", "bias", "flag"], each)
        if each
        else None,
        "figures": [*_others(evaluation), *metric_tables({"choice": evaluation.get("categories") or {}})],
    }


def _others(evaluation: Mapping[str, Any]) -> list[Any]:
    """A table of what no table of its own shows; none where there is nothing."""
    known = {"agreement", "raters", "categories"}
    leaves = [leaf for key, value in evaluation.items() if key not in known for leaf in flatten(value, key)]
    return [table(["figure", "value"], leaves)] if leaves else []
