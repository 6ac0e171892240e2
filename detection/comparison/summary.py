"""What the cells together say: means, intervals, paired differences, and one plain sentence per arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.seeding import rng_for

from ..detectors.config import NO_AUGMENTATION, CompareConfig
from ..detectors.registry import detector
from ..evaluation.evaluate import DetectionRow, matches_at_50
from ..evaluation.metric_names import METRICS, TITLES, figure, mean_figure
from ..evaluation.statistics import (
    mean_known,
    percentile_interval,
    resampled_ap50,
    resampling_weights,
    t_interval,
    verdict,
)
from .by_category import category_differences, shown_categories


def summarise(
    results: Sequence[dict[str, object]],
    found: Mapping[str, list[DetectionRow]],
    test: Dataset,
    config: CompareConfig,
    seed: int,
) -> dict[str, Any]:
    """The content of ``summary.json``.

    ``found`` maps a cell's name to its detections. Differences to ``none`` are paired: the same seed gives both
    arms the same starting weights, the same deal of real photographs and the same flips. An arm with a pool of its
    own (``METHOD@VARIANT``) is also set against its method on the shared pool. ``detectors`` holds each detector's
    arms; what the first of them says also stands at the top. Arms and detectors without a finished cell are absent.
    """
    parts = {}
    for name in config.detector_list():
        rows = [row for row in results if row["detector"] == name]
        if rows:
            parts[name] = {
                "judged_on": rows[0]["judged_on"],
                "iterations": rows[0].get("iterations"),
                "arms": _arms(rows, name, found, test, config, seed),
            }
    objects = held_out_objects(test)
    first = next(iter(parts))
    return {
        "detector": first,
        "fold": config.fold,
        "iterations": parts[first]["iterations"],
        "judged_on": parts[first]["judged_on"],
        "seeds": config.seed_list(),
        "test": objects,
        "arms": parts[first]["arms"],
        "detectors": parts,
        "note": f"Judged on {objects['instances']} defects of {objects['defect_objects']} objects "
        f"({objects['images']} photographs of {objects['objects']} objects in all). The interval over "
        "seeds says how repeatable the training is; the interval over objects says how far the result "
        "would carry to other objects of the same kind.",
    }


def _arms(
    results: Sequence[dict[str, Any]],
    name: str,
    found: Mapping[str, list[DetectionRow]],
    test: Dataset,
    config: CompareConfig,
    seed: int,
) -> dict[str, Any]:
    """What one detector's cells say of every arm that has some."""
    by_arm = {
        arm: rows
        for arm in config.arms
        if (rows := sorted((row for row in results if row["arm"] == arm), key=lambda row: row["seed"]))
    }
    resampled = _resampled(by_arm, name, found, test, config, seed)
    arms = {}
    for arm, rows in by_arm.items():
        item: dict[str, Any] = {metric: _metric(rows, metric) for metric in METRICS}
        item |= {
            "n_real": rows[0]["n_real"],
            "n_synthetic": rows[0]["n_synthetic"],
            "exposure": rows[0]["exposure"],
            "categories": _categories(rows),
        }
        if arm != NO_AUGMENTATION and NO_AUGMENTATION in by_arm:
            base = by_arm[NO_AUGMENTATION]
            item["difference"] = {metric: _difference(rows, base, metric) for metric in METRICS}
            pair = None
            if arm in resampled and NO_AUGMENTATION in resampled and _seeds(rows) == _seeds(base):
                pair = resampled[arm], resampled[NO_AUGMENTATION]
                item["difference_over_objects"] = _over_objects(
                    mean_known(pair[0]) - mean_known(pair[1]), item["difference"]["map50"]
                )
            for category, of in category_differences(rows, base, pair, shown_categories(test)).items():
                item["categories"][category] |= of
        shared = arm.partition("@")[0]
        if shared != arm and shared in by_arm:
            item["difference_to_shared_pool"] = _difference(rows, by_arm[shared], "map50")
        item["sentence"] = _sentence(arm, item)
        arms[arm] = item
    return arms


def _seeds(rows: Sequence[dict[str, Any]]) -> list[int]:
    return [row["seed"] for row in rows]


def _metric(rows: Sequence[dict[str, object]], name: str) -> dict[str, object] | None:
    values = [value for row in rows if (value := figure(row, name)) is not None]
    return {**t_interval(values).to_json(), "values": values} if values else None


def _difference(rows: Sequence[dict[str, Any]], base: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Paired by seed."""
    base_of = {row["seed"]: figure(row, name) for row in base}
    values = [
        value - base_of[row["seed"]]
        for row in rows
        if (value := figure(row, name)) is not None and base_of.get(row["seed"]) is not None
    ]
    if not values:
        return None
    interval = t_interval(values)
    return {**interval.to_json(), "values": values, "verdict": verdict(interval)}


def _categories(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds per category, None where the test split has none of it."""
    return {
        name: {key: mean_figure(row["categories"][name][key] for row in rows) for key in ("ap50", "ap", "iou")}
        for name in rows[0]["categories"]
    }


def _resampled(
    by_arm: Mapping[str, Sequence[dict[str, object]]],
    name: str,
    found: Mapping[str, list[DetectionRow]],
    test: Dataset,
    config: CompareConfig,
    seed: int,
) -> dict[str, np.ndarray]:
    """Per arm, the seeds' mean AP@0.5 (C, B) of every category that the test split shows under resampled test objects,
    the same draws for every arm."""
    if not config.bootstrap:
        return {}
    segments = detector(name).segments
    units = len({image.group_id for image in test.images})
    weights = resampling_weights(units, config.bootstrap, rng_for(seed, "compare", "bootstrap"))
    result = {}
    for arm, rows in by_arm.items():
        cells = []
        for row in rows:
            cell = f"{row['arm']}-{row['detector']}-f{row['fold']}-s{row['seed']}"
            matches = matches_at_50(test, found[cell], segments)[1]
            cells.append([resampled_ap50(of_category, weights) for of_category in matches])
        result[arm] = np.mean(cells, axis=0)
    return result


def _over_objects(resampled: np.ndarray, observed: dict[str, Any] | None) -> dict[str, Any] | None:
    if observed is None:
        return None
    interval = percentile_interval(observed["mean"], list(resampled[np.isfinite(resampled)]))
    return {**interval.to_json(), "verdict": verdict(interval)}


def _sentence(arm: str, item: dict[str, Any]) -> str:
    """One line a reader can take away."""
    own = item["map50"]
    if own is None:
        return f"{arm}: no figure, the test split holds no judged defect."
    if item.get("difference") is None or item["difference"]["map50"] is None:
        return f"{arm}: {TITLES['map50']} {own['mean']:.3f}{_range(own)} over {_count(own)}."
    difference, objects = item["difference"]["map50"], item.get("difference_over_objects")
    text = (
        f"{arm}: {difference['verdict']} than none"
        if difference["verdict"] != "no difference shown"
        else f"{arm}: no difference to none shown"
    )
    text += f": {TITLES['map50']} {difference['mean']:+.3f}{_range(difference, sign=True)} over {_count(difference)}"
    if objects is not None and objects["low"] is not None:
        text += f"; over other test objects [{objects['low']:+.3f}, {objects['high']:+.3f}]"
        if difference["verdict"] != "no difference shown" and objects["verdict"] != difference["verdict"]:
            text += ", so not shown to carry to other objects"
    shared = item.get("difference_to_shared_pool")
    if shared is not None:
        text += (
            f"; against {arm.partition('@')[0]} on the shared pool {shared['mean']:+.3f}"
            f"{_range(shared, sign=True)} ({shared['verdict']})"
        )
    return text + "."


def _range(interval: dict[str, Any], sign: bool = False) -> str:
    if interval["low"] is None:
        return " (one seed: no interval)"
    form = "+.3f" if sign else ".3f"
    return f" [{interval['low']:{form}}, {interval['high']:{form}}]"


def _count(item: dict[str, Any]) -> str:
    seeds = len(item["values"])
    return f"{seeds} seed" + ("s" if seeds != 1 else "")


def held_out_objects(test: Dataset) -> dict[str, object]:
    """How much the test split holds: an interval is only as good as the number of different objects behind it."""
    group_of = {image.id: image.group_id for image in test.images}
    names = test.category_names()
    per_category = {
        name: {
            "objects": len({group_of[a.image_id] for a in test.annotations if a.category_id == key}),
            "images": len({a.image_id for a in test.annotations if a.category_id == key}),
            "instances": sum(a.category_id == key for a in test.annotations),
        }
        for key, name in sorted(names.items())
    }
    return {
        "images": len(test.images),
        "objects": len(set(group_of.values())),
        "defect_images": len({a.image_id for a in test.annotations}),
        "defect_objects": len({group_of[a.image_id] for a in test.annotations}),
        "instances": len(test.annotations),
        "categories": per_category,
    }
