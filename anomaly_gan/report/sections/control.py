"""The control card: does the picture follow severity, size, light, category and mask?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, load_below
from ..tables import Table, mapping, table

SHEETS = {
    "severity.png": "severity, from the faintest training defect to the strongest",
    "size.png": "the same masks smaller and larger",
    "light.png": "the same masks under other lights",
    "category.png": "each mask painted as each category",
    "exposures.png": "unseen objects: an exposure, the other as foretold, the other as taken, their difference",
}


def build(run: Run, album: Album, config: ReportConfig) -> list[dict[str, object]]:
    """One entry per model that has a card; none: the section is left out."""
    return [_card(run.stages[f"control@{method}"], method, album) for method in run.methods("control")]


def _card(stage: StageFolder, method: str, album: Album) -> dict[str, object]:
    tables = [
        made
        for build in (severity_table, size_table, light_table, category_table, mask_table)
        if (made := build(stage.metrics))
    ]
    return {"method": method, "tables": tables, "sheets": _sheets(stage, album)}


def _sheets(stage: StageFolder, album: Album) -> list[tuple[str, Picture]]:
    found = []
    for name, words in SHEETS.items():
        pixels = load_below(stage.folder, name)
        picture = None if pixels is None else album.photo(pixels, words)
        if picture:
            found.append((words, picture))
    return found


def severity_table(metrics: Mapping[str, Any]) -> Table | None:
    """Spearman's rho of the asked severity with what the pictures show."""
    severity = mapping(metrics.get("severity"))
    rows = [[name, row.get("masks"), *_rhos(row)] for name, row in mapping(severity.get("categories")).items()]
    if not rows:
        return None
    rows.append(["mean over categories", None, *_rhos(mapping(severity.get("all")))])
    return table(
        [
            "category",
            "masks",
            "contrast, all masks",
            "95 % interval",
            "contrast, within a mask",
            "asked once",
            "share visibly changed",
        ],
        rows,
        f"Severity: rank correlation with the measured figure (target {severity.get('target')})",
    )


def _rhos(row: Mapping[str, Any]) -> list[Any]:
    def of(figure: str, kind: str) -> Mapping[str, Any]:
        return mapping(mapping(row.get(figure)).get(kind))

    pooled = of("contrast", "pooled")
    return [
        pooled.get("rho"),
        _interval(pooled),
        of("contrast", "within").get("rho"),
        of("first", "pooled").get("rho"),
        of("visible_share", "pooled").get("rho"),
    ]


def size_table(metrics: Mapping[str, Any]) -> Table | None:
    """Spearman's rho of the label's area with that of what changed visibly, the mask smaller and larger."""
    size = mapping(metrics.get("size"))
    rows = [
        [name, row.get("masks"), row.get("pooled"), None, row.get("within"), row.get("ratio")]
        for name, row in mapping(size.get("categories")).items()
    ]
    if not rows:
        return None
    pooled = mapping(size.get("pooled"))
    rows.append(
        [
            "mean over categories",
            size.get("masks"),
            pooled.get("rho"),
            _interval(pooled),
            mapping(size.get("within")).get("rho"),
            size.get("ratio"),
        ]
    )
    return table(
        ["category", "masks", "all masks", "95 % interval", "within a mask", "changed / label, median"],
        rows,
        f"Size: rank correlation of label's and changed area (target {size.get('target')})",
    )


def light_table(metrics: Mapping[str, Any]) -> Table | None:
    """Errors of the foretold exposure on objects that the light model has not seen."""
    test = mapping(mapping(metrics.get("light")).get("test"))
    rows = []
    for name, row in mapping(test.get("rivals")).items():
        field, pixel = mapping(mapping(row).get("field")), mapping(mapping(row).get("pixel"))
        rows.append([name, field.get("mean"), _interval(field), pixel.get("mean"), _interval(pixel)])
    return (
        table(
            ["", "brightness field", "95 % interval", "pixels", "95 % interval, pixels"],
            rows,
            f"Light: mean error in grey levels on {test.get('objects')} unseen objects",
        )
        if rows
        else None
    )


def category_table(metrics: Mapping[str, Any]) -> Table | None:
    """Accuracy of a classifier that was trained on real training crops alone."""
    category = mapping(metrics.get("category"))
    words = {
        "real": "real, objects left out",
        "real_test": "real, test split",
        "generated": "generated",
        "swapped": "generated under another category's mask",
    }
    rows = [
        [
            said,
            mapping(category.get(key)).get("crops"),
            mapping(category.get(key)).get("accuracy"),
            _interval(mapping(category.get(key))),
        ]
        for key, said in words.items()
        if mapping(category.get(key))
    ]
    return (
        table(["crops", "number", "balanced accuracy", "95 % interval"], rows, "Category: called by its name")
        if rows
        else None
    )


def mask_table(metrics: Mapping[str, Any]) -> Table | None:
    """Masks put elsewhere, turned and multiplied."""
    mask = mapping(metrics.get("mask"))
    if not mask.get("paintings"):
        return None
    rows = [
        ["pixels changed outside", mask.get("outside_px")],
        ["instances painted", mask.get("instances")],
        ["of them empty", mask.get("empty")],
        *(
            [words, mapping(mask.get(key)).get("median")]
            for key, words in (
                ("fill", "share visibly filled, median"),
                ("shift_px", "shift of the paint's centre in px, median"),
                ("turn_deg", "turn of the paint's axis in degrees, median"),
            )
        ),
    ]
    return table(["figure", "value"], rows, f"Masks moved, turned, multiplied: {mask['paintings']} paintings")


def _interval(row: Mapping[str, Any]) -> str | None:
    low, high = row.get("low"), row.get("high")
    return None if low is None or high is None else f"[{low:.3g}, {high:.3g}]"
