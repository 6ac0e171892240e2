"""The one-class filter: detectors that know normal photographs alone, on the accepted synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, cut, load_pixels, native_window, outlined, union_mask
from ..tables import Table, evenly, figure, mapping, table

WORDS = {"defect_not_unusual": "defect not unusual", "background_unusual": "background unusual"}
HEADS = ("photographs", "outliers", "defect not unusual", "background unusual", "background compared")


def build(run: Run, album: Album, config: ReportConfig) -> dict[str, object] | None:
    """None where the run has no one-class filter."""
    stage = run.get("one_class")
    if stage is None:
        return None
    return {
        "thresholds": threshold_table(stage.metrics),
        "learned": learned(stage.metrics),
        "arms": [_arm(run, method, album, config) for method in run.methods("one_class_filter")],
    }


def learned(metrics: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(words, count) of what the detectors learned from and were calibrated on."""
    found = []
    for key, words in (("learned_from", "learned from"), ("held_out", "calibrated on")):
        row = mapping(metrics.get(key))
        found += [(f"{unit}, {words}", row.get(unit)) for unit in ("photographs", "objects")]
    return found


def threshold_table(metrics: Mapping[str, Any]) -> Table | None:
    """One row per detector and threshold: of the photograph's score, and of its map's greatest value."""
    rows = []
    for name, kinds in mapping(metrics.get("thresholds")).items():
        for kind, words in (("image", "photograph"), ("map", "greatest value of the map")):
            row = mapping(mapping(kinds).get(kind))
            if row:
                rows.append(
                    [
                        name,
                        words,
                        row.get("value"),
                        *(percent(row.get(key)) for key in ("asked", "expected")),
                        f"[{percent(row.get('low'))}, {percent(row.get('high'))}]",
                        row.get("held_out"),
                        row.get("groups"),
                    ]
                )
    return (
        table(
            [
                "detector",
                "of",
                "threshold",
                "false alarms asked",
                "expected",
                "95 % interval",
                "held-out normals",
                "objects",
            ],
            rows,
        )
        if rows
        else None
    )


def percent(value: Any) -> str | None:
    return f"{100 * value:.1f} %" if isinstance(value, int | float) else None


def _arm(run: Run, method: str, album: Album, config: ReportConfig) -> dict[str, object]:
    stage = run.stages[f"one_class_filter@{method}"]
    dropped = getattr(run.get(f"export@{method}"), "metrics", {}).get("dropped_as_outliers")
    return {
        "method": method,
        "sentence": stage.metrics.get("sentence"),
        "shares": share_table(stage.metrics),
        "dropped": dropped,
        "pictures": pictures(run, stage, method, album, config),
    }


def share_table(metrics: Mapping[str, Any]) -> Table:
    """The synthetic photographs by category, and below them the two references."""
    references = mapping(metrics.get("references"))
    rows = [[name, *_cells(row)] for name, row in mapping(metrics.get("categories")).items()]
    rows.append(["all synthetic", *_cells(metrics.get("all"))])
    for key, words in (("real_defects", "real defects"), ("held_out_normals", "normals, nothing painted")):
        rows.append([f"reference: {words}", *_cells(mapping(references.get(key)).get("all"))])
    return table(["", *HEADS], rows)


def _cells(row: Any) -> list[Any]:
    found = mapping(row)
    return [
        found.get("photographs"),
        *(percent(found.get(key)) for key in ("share", *WORDS)),
        found.get("background_compared"),
    ]


def pictures(
    run: Run, stage: StageFolder, method: str, album: Album, config: ReportConfig
) -> list[tuple[str, Picture | None]]:
    """Some outliers, evenly spaced, each with its reasons and the values behind them."""
    gate = run.get(f"gate@{method}")
    dataset = gate.dataset() if gate else None
    if dataset is None:
        return []
    images, annotations = {image.file_name: image for image in dataset.images}, dataset.by_image()
    lines = [
        line for line in stage.json_lines("outliers.jsonl") if line.get("outlier") and line.get("file_name") in images
    ]
    found = []
    for line in evenly(lines, 2 * config.rows):
        image = images[line["file_name"]]
        pixels = load_pixels(dataset, image)
        if pixels is not None:
            mask = union_mask(annotations.get(image.id, []), *pixels.shape[:2])
            window = native_window(mask, config.cell_px)
            shown = outlined(cut(pixels, window), cut(mask, window), config.cell_px)
            found.append((caption(line), album.photo(shown, f"outlier {image.file_name}")))
    return found


def caption(line: Mapping[str, Any]) -> str:
    """``crack: defect not unusual (iaead 0.4 of 1.2)``."""
    why = line.get("reasons")
    said = ", ".join(WORDS.get(str(reason), str(reason)) for reason in (why if isinstance(why, list) else []))
    values = ", ".join(
        f"{name.replace('_', ' ')} {figure(row.get('defect'))} of {figure(row.get('defect_threshold'))}"
        for name, row in mapping(line.get("detectors")).items()
        if isinstance(row, Mapping)
    )
    return f"{line.get('category')}: {said}" + (f" ({values})" if values else "")
