"""The headline: did the detector get better, said in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.json_files import understood
from ..config import ReportConfig
from ..folders import Run, StageFolder
from ..pictures import Album, Picture, load_file
from ..tables import Table, metric_tables, table

BASE, MAIN = "none", "anomaly_gan"
TITLES = {"map50": "AP@0.5", "map": "COCO mAP", "miou": "mIoU"}
RECALL = "image_recall_at_5"
UNDECIDED = "The comparison gave no verdict"


def build(run: Run, album: Album, config: ReportConfig) -> dict[str, object] | None:
    stage = run.get("compare")
    if stage is None:
        return None
    with understood(stage.folder / "summary.json"):
        return _told(stage, stage.json("summary.json"), album)


def _told(stage: StageFolder, summary: Mapping[str, Any], album: Album) -> dict[str, Any]:
    arms = in_order(summary.get("arms") or {}, stage.config.get("arms"))
    return {
        "sentence": headline(arms, len(summary.get("seeds") or [])),
        "others": [str(arms[name].get("sentence") or "") for name in arms if name not in (BASE, main_arm(arms))],
        "note": summary.get("note"),
        "detector": detector_on(summary, summary.get("detector")),
        "judged_on": summary.get("judged_on"),
        "chart": chart(stage, album) if worth_drawing(arms) else None,
        "detections": detections(stage, album),
        "arms": arm_table(arms),
        "categories": category_table(arms),
        "more": other_detectors(stage, summary, album),
        "cells": cell_table(stage),
        "metrics": metric_tables(summary, skip=("note", "arms", "detectors", "backbones")),
    }


def detector_on(summary: Mapping[str, Any], name: str | None) -> str | None:
    """``mask_rcnn on efficientnet_lite0``; the name alone where the comparison kept no backbone."""
    backbone = (summary.get("backbones") or {}).get(name)
    return f"{name} on {backbone}" if backbone else name


def other_detectors(stage: StageFolder, summary: Mapping[str, Any], album: Album) -> list[dict[str, object]]:
    """What the comparison says of every detector but the headline's."""
    parts = summary.get("detectors") or {}
    wanted = stage.config.get("detectors") or []
    result = []
    for name in sorted(parts, key=lambda name: (wanted.index(name) if name in wanted else len(wanted), name)):
        if name != summary.get("detector"):
            arms = in_order(parts[name].get("arms") or {}, stage.config.get("arms"))
            result.append(
                {
                    "detector": detector_on(summary, name),
                    "judged_on": parts[name].get("judged_on"),
                    "arms": arm_table(arms),
                    "sentences": [str(item.get("sentence") or "") for arm, item in arms.items() if arm != BASE],
                    "categories": category_table(arms),
                    "detections": detections(stage, album, f"detections@{name}.png"),
                }
            )
    return result


def in_order(arms: Mapping[str, Any], wanted: Any) -> dict[str, Mapping[str, Any]]:
    """The arms in the order of the configuration (JSON's is alphabetic), real photographs alone first."""
    places = [BASE, *(wanted if isinstance(wanted, list) else ())]
    names = sorted(arms, key=lambda name: (places.index(name) if name in places else len(places), name))
    return {str(name): arms[name] for name in names if isinstance(arms[name], Mapping)}


def main_arm(arms: Mapping[str, Any]) -> str | None:
    """The arm that the headline is about: Anomaly-GAN where it took part, else the last that is not the base."""
    others = [name for name in arms if name != BASE]
    return MAIN if MAIN in others else others[-1] if others else None


def headline(arms: Mapping[str, Any], seeds: int) -> str:
    """One sentence with the size of the difference and its interval; it claims no more than the intervals carry."""
    arm = main_arm(arms)
    item = arms.get(arm, {}) if arm else {}
    difference = (item.get("difference") or {}).get("map50") or {}
    mean, verdict = difference.get("mean"), difference.get("verdict")
    if arm is None or mean is None:
        return UNDECIDED
    low, high = difference.get("low"), difference.get("high")
    count = f"{seeds} seed{'s' if seeds != 1 else ''}"
    size = f"{TITLES['map50']} {mean:+.3f}" + (
        f" (95 % interval {low:+.3f} to {high:+.3f}, {count})"
        if low is not None and high is not None
        else f" ({count}, so no interval)"
    )
    objects = (item.get("difference_over_objects") or {}).get("verdict")
    if verdict not in ("better", "worse"):
        return f"No difference shown: a detector trained with {arm} photographs against real ones alone, {size}."
    sentence = f"With {arm} photographs the detector got {verdict}: {size}"
    if objects is not None and objects != verdict:
        sentence += ", but that is not shown to carry over to other objects"
    return sentence + "."


def arm_table(arms: Mapping[str, Any]) -> Table | None:
    """Mean and 95 % interval over seeds of every figure, and the paired difference to real photographs alone."""
    keys = [*TITLES, *([RECALL] if any(RECALL in item for item in arms.values()) else [])]
    rows = [
        [
            name,
            *(interval(item.get(key)) for key in keys),
            interval((item.get("difference") or {}).get("map50"), "+.3f"),
            interval(item.get("difference_over_objects"), "+.3f", with_mean=False),
            item.get("n_real"),
            item.get("n_synthetic"),
        ]
        for name, item in arms.items()
    ]
    heads = [TITLES.get(key, "recall at 5 % false alarms") for key in keys]
    return (
        table(["arm", *heads, f"{TITLES['map50']} against {BASE}", "over other objects", "real", "synthetic"], rows)
        if rows
        else None
    )


def interval(value: Any, form: str = ".3f", with_mean: bool = True) -> str | None:
    """``mean [low, high]``; None where there is no figure."""
    if not isinstance(value, Mapping) or value.get("mean") is None:
        return None
    low, high = value.get("low"), value.get("high")
    bounds = "" if low is None or high is None else f"[{low:{form}}, {high:{form}}]"
    return f"{value['mean']:{form}} {bounds}".strip() if with_mean else bounds or None


def category_table(arms: Mapping[str, Any]) -> Table | None:
    """AP@0.5 per category and arm, means over seeds."""
    names = list(dict.fromkeys(name for item in arms.values() for name in item.get("categories") or {}))
    rows = [
        [name, *((item.get("categories") or {}).get(name, {}).get("ap50") for item in arms.values())] for name in names
    ]
    return table(["category", *arms], rows, f"{TITLES['map50']} per category, means over seeds") if rows else None


def cell_table(stage: StageFolder) -> Table | None:
    """Every single training of the comparison, as ``table.csv`` holds it."""
    rows = stage.table("table.csv")
    return table(list(rows[0]), [list(row.values()) for row in rows]) if rows else None


def worth_drawing(arms: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a chart of the arms has something to set side by side: two arms, and a figure that is not 0."""
    values = [value for arm in arms.values() for key in TITLES for value in (arm.get(key) or {}).get("values", [])]
    return len(arms) > 1 and any(values)


def chart(stage: StageFolder, album: Album) -> Picture | None:
    path = stage.folder / "lift.png"
    pixels = load_file(path)
    if pixels is None:
        return None
    scale = min(1.0, 980 / pixels.shape[1])
    return album.file_png(
        path.read_bytes(),
        round(pixels.shape[1] * scale),
        round(pixels.shape[0] * scale),
        "each arm's figures with 95 % intervals over seeds; single seeds as dots",
    )


def detections(stage: StageFolder, album: Album, name: str = "detections.png") -> Picture | None:
    pixels = load_file(stage.folder / name)
    return None if pixels is None else album.photo(pixels, "test photographs: the truth beside what each arm finds")
