"""What the cells together say: means, intervals, paired differences, and one plain sentence per arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.seeding import rng_for

from ..detectors.config import NO_AUGMENTATION, CompareConfig
from ..detectors.registry import detector
from ..evaluation.evaluate import DetectionRow, matches_at_50
from ..evaluation.metric_names import METRICS, mean_figure
from ..evaluation.statistics import (
    mean_known,
    percentile_interval,
    resampled_ap50,
    resampling_weights,
    t_interval,
    verdict,
)
from .by_category import category_differences, shown_categories
from .outcome import ArmSummary, CategoryCount, CategoryMeans, Change, DetectorSummary, HeldOutCount, Level, Summary
from .result import CellResult


def summarise(
    results: Sequence[CellResult],
    found: Mapping[str, list[DetectionRow]],
    test: Dataset,
    config: CompareConfig,
    seed: int,
) -> Summary:
    """The comparison's summary.

    ``found`` maps a cell's name to its detections. Differences to ``none`` are paired: the same seed gives both
    arms the same starting weights, the same deal of real photographs and the same flips. An arm with a pool of its
    own (``METHOD@VARIANT``) is also set against its method on the shared pool. ``detectors`` holds each detector's
    arms; what the first of them says also stands at the top. Arms and detectors without a finished cell are absent.
    """
    parts = {}
    for name in config.detector_list():
        rows = [row for row in results if row.cell.detector == name]
        if rows:
            first = rows[0]
            arms = _arms(rows, name, found, test, config, seed)
            parts[name] = DetectorSummary(first.figures.judged_on, first.report.iterations, arms)
    return Summary(config.fold, config.seed_list(), held_out_objects(test), parts)


def _arms(
    results: Sequence[CellResult],
    name: str,
    found: Mapping[str, list[DetectionRow]],
    test: Dataset,
    config: CompareConfig,
    seed: int,
) -> dict[str, ArmSummary]:
    """What one detector's cells say of every arm that has some."""
    by_arm = {
        arm: rows
        for arm in config.arms
        if (rows := sorted((row for row in results if row.cell.arm == arm), key=lambda row: row.cell.seed))
    }
    resampled = _resampled(by_arm, name, found, test, config, seed)
    return {arm: _arm(arm, by_arm, resampled, test) for arm in by_arm}


def _arm(
    arm: str, by_arm: Mapping[str, Sequence[CellResult]], resampled: Mapping[str, np.ndarray], test: Dataset
) -> ArmSummary:
    rows, base = by_arm[arm], by_arm.get(NO_AUGMENTATION)
    difference, pair, objects, by_category = None, None, None, {}
    if arm != NO_AUGMENTATION and base is not None:
        difference = {metric: _difference(rows, base, metric) for metric in METRICS}
        if arm in resampled and NO_AUGMENTATION in resampled and _seeds(rows) == _seeds(base):
            pair = resampled[arm], resampled[NO_AUGMENTATION]
            objects = _over_objects(mean_known(pair[0]) - mean_known(pair[1]), difference["map50"])
        by_category = category_differences(rows, base, pair, shown_categories(test))
    method = arm.partition("@")[0]
    shared = method if method != arm and method in by_arm else None
    return ArmSummary(
        arm=arm,
        metrics={metric: _level(rows, metric) for metric in METRICS},
        n_real=rows[0].n_real,
        n_synthetic=rows[0].n_synthetic,
        exposure=rows[0].report.exposure,
        categories=_categories(rows),
        difference=difference,
        drawn=pair is not None,
        over_objects=objects,
        by_category=by_category,
        shared=shared,
        to_shared_pool=_difference(rows, by_arm[shared], "map50") if shared else None,
    )


def _seeds(rows: Sequence[CellResult]) -> list[int]:
    return [row.cell.seed for row in rows]


def _level(rows: Sequence[CellResult], name: str) -> Level | None:
    values = [value for row in rows if (value := row.figures.figure(name)) is not None]
    return Level(t_interval(values), values) if values else None


def _difference(rows: Sequence[CellResult], base: Sequence[CellResult], name: str) -> Change | None:
    """Paired by seed."""
    base_of = {row.cell.seed: row.figures.figure(name) for row in base}
    values = [
        value - other
        for row in rows
        if (value := row.figures.figure(name)) is not None and (other := base_of.get(row.cell.seed)) is not None
    ]
    if not values:
        return None
    interval = t_interval(values)
    return Change(interval, verdict(interval), values)


def _categories(rows: Sequence[CellResult]) -> dict[str, CategoryMeans]:
    means = {}
    for name in rows[0].figures.categories:
        own = [row.figures.categories[name] for row in rows]
        ap50, ap, iou = ([getattr(item, key) for item in own] for key in ("ap50", "ap", "iou"))
        means[name] = CategoryMeans(mean_figure(ap50), mean_figure(ap), mean_figure(iou))
    return means


def _resampled(
    by_arm: Mapping[str, Sequence[CellResult]],
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
            matches = matches_at_50(test, found[row.cell.name], segments)[1]
            cells.append([resampled_ap50(of_category, weights) for of_category in matches])
        result[arm] = np.mean(cells, axis=0)
    return result


def _over_objects(resampled: np.ndarray, observed: Change | None) -> Change | None:
    if observed is None:
        return None
    interval = percentile_interval(observed.interval.mean, list(resampled[np.isfinite(resampled)]))
    return Change(interval, verdict(interval))


def held_out_objects(test: Dataset) -> HeldOutCount:
    """How much the test split holds, in all and by category."""
    group_of = {image.id: image.group_id for image in test.images}
    return HeldOutCount(
        images=len(test.images),
        objects=len(set(group_of.values())),
        defect_images=len({a.image_id for a in test.annotations}),
        defect_objects=len({group_of[a.image_id] for a in test.annotations}),
        instances=len(test.annotations),
        categories={
            name: CategoryCount(
                objects=len({group_of[a.image_id] for a in test.annotations if a.category_id == key}),
                images=len({a.image_id for a in test.annotations if a.category_id == key}),
                instances=sum(a.category_id == key for a in test.annotations),
            )
            for key, name in sorted(test.category_names().items())
        },
    )
