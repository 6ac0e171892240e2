"""Detections on held-out photographs, evaluated by COCO average precision and by pixel IoU."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.masks import Rle, decode_rle

from ..dense.pixels import PixelCounts
from .figures import CategoryFigures, Figures
from .image_level import image_figures
from .metric_names import mean_figure
from .statistics import Matches

IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""COCO's overlaps."""


class DetectionRow(TypedDict):
    """COCO result row: ``bbox`` is [x, y, w, h]; ``segmentation`` is there where the net segments. All in pixels of
    the original photograph."""

    image_id: int
    category_id: int
    score: float
    bbox: list[float]
    segmentation: NotRequired[Rle]


def truth_rows(dataset: Dataset) -> list[DetectionRow]:
    """The ground truth as if it had been detected with score 1."""
    return [
        {
            "image_id": item.image_id,
            "category_id": item.category_id,
            "score": 1.0,
            "bbox": list(item.bbox),
            "segmentation": item.segmentation.copy(),
        }
        for item in dataset.annotations
        if not item.iscrowd
    ]


def evaluate_detections(
    dataset: Dataset,
    rows: list[DetectionRow],
    segments: bool,
    score_threshold: float | Mapping[int, float],
    scores: Mapping[int, float] | None = None,
    pixels: PixelCounts | None = None,
) -> Figures:
    """Average precision and pixel IoU of detections against ``dataset``. A figure that does not exist is None.

    ``map50`` is AP at IoU 0.5 and ``map`` the COCO mean over IoU 0.5 to 0.95, of masks where the detector gives
    them (``judged_on``), else of boxes; ``*_box`` are always of boxes. ``miou`` is the mean over categories of
    |P and T| / |P or T|, P the union of instances scoring at least ``score_threshold`` (of all, or by
    category id), T that of the true ones,
    pixels pooled over all images. ``ap30`` is AP at IoU 0.3, fairer to thin and loosely drawn categories, ``pixel_ap``
    the mean over categories of the average precision of pixels, of detectors that give maps (``pixels``). A category
    without a true instance has no figures. ``image_*`` are those of :mod:`.image_level`, from ``scores`` of whole
    photographs where the detector gives them.

    Args:
        dataset: the data set.
        rows: COCO result rows.
        segments: whether the detector gives masks.
        score_threshold: least score of an instance that counts for the IoU, of all or by category id.
        scores: image id -> score of the whole photograph; None: the best instance's.
        pixels: counts for the pixels' average precision; None: no maps.

    Returns:
        The metrics, in [0, 1] and None where undefined; ``categories`` by name.
    """
    truth = _coco(dataset, None)
    boxes = _average_precision(truth, _coco(dataset, rows), "bbox")
    masks = _average_precision(truth, _coco(dataset, rows), "segm") if segments else None
    ious = pixel_iou(dataset, rows, score_threshold) if segments else {}
    head = masks if masks is not None else boxes
    names = dataset.category_names()
    of_pixels = dict(zip(sorted(names), pixels.average_precision(), strict=True)) if pixels else {}
    return Figures(
        map50=mean_figure([ap["ap50"] for ap in head.values()]),
        map=mean_figure([ap["ap"] for ap in head.values()]),
        map50_box=mean_figure([ap["ap50"] for ap in boxes.values()]),
        map_box=mean_figure([ap["ap"] for ap in boxes.values()]),
        ap30=mean_figure([ap["ap30"] for ap in head.values()]),
        pixel_ap=mean_figure(of_pixels.values()),
        miou=mean_figure(ious.values()),
        judged_on="masks" if segments else "boxes",
        categories={
            names[key]: CategoryFigures(
                ap50=head[key]["ap50"],
                ap=head[key]["ap"],
                ap50_box=boxes[key]["ap50"],
                ap_box=boxes[key]["ap"],
                ap30=head[key]["ap30"],
                pixel_ap=of_pixels.get(key),
                iou=ious.get(key),
                instances=sum(a.category_id == key for a in dataset.annotations),
            )
            for key in sorted(names)
        },
        of_images=image_figures(dataset, rows, scores),
        images=len(dataset.images),
        detections=len(rows),
    )


def _coco(dataset: Dataset, rows: list[DetectionRow] | None) -> COCO:
    """pycocotools' index over the truth (``rows`` None) or over detections; an empty list of them is fine (K7)."""
    coco = COCO()
    if rows is None:
        annotations = [{**vars(item)} for item in dataset.annotations]
    else:
        annotations = [
            {"id": number, "iscrowd": 0, "area": row["bbox"][2] * row["bbox"][3], **row}
            for number, row in enumerate(rows, start=1)
        ]
    coco.dataset = {
        "info": {},
        "images": [{"id": image.id, "width": image.width, "height": image.height} for image in dataset.images],
        "categories": [vars(category) for category in dataset.categories],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def evaluate_images(truth: COCO, found: COCO, kind: str, ious: Sequence[float] = IOUS) -> COCOeval:
    """pycocotools' matching, image by image; ``kind`` is ``segm`` or ``bbox``."""
    coco_eval = COCOeval(truth, found, iouType=kind)
    coco_eval.params.iouThrs = np.array(ious)
    coco_eval.params.areaRng, coco_eval.params.areaRngLbl = (
        coco_eval.params.areaRng[:1],
        coco_eval.params.areaRngLbl[:1],
    )
    coco_eval.params.maxDets = [100]
    with contextlib.redirect_stdout(io.StringIO()):
        coco_eval.evaluate()
    return coco_eval


def _average_precision(truth: COCO, found: COCO, kind: str) -> dict[int, dict[str, float | None]]:
    """AP at IoU 0.3, at 0.5 and COCO AP of each category id; None where the category has no true instance."""
    coco_eval = evaluate_images(truth, found, kind, (0.3, *IOUS))
    with contextlib.redirect_stdout(io.StringIO()):
        coco_eval.accumulate()
    precision = coco_eval.eval["precision"]  # (IoU threshold, recall, category, area, detections); -1: undefined
    result: dict[int, dict[str, float | None]] = {}
    for place, key in enumerate(coco_eval.params.catIds):
        of_category = precision[:, :, place, 0, 0]
        exists = bool((of_category > -1).any())
        result[key] = {
            "ap30": float(of_category[0].mean()) if exists else None,
            "ap50": float(of_category[1].mean()) if exists else None,
            "ap": float(of_category[1:].mean()) if exists else None,
        }
    return result


def matches_at_50(dataset: Dataset, rows: list[DetectionRow], segments: bool) -> tuple[list[str], list[Matches]]:
    """The test objects (group ids, sorted) and, per category with true instances, every detection matched at IoU 0.5.

    The matching is pycocotools' own; it happens inside each image, so objects can be drawn again without it.
    """
    coco_eval = evaluate_images(_coco(dataset, None), _coco(dataset, rows), "segm" if segments else "bbox")
    group_of = {image.id: image.group_id for image in dataset.images}
    objects = sorted(set(group_of.values()))
    unit_of = {name: number for number, name in enumerate(objects)}
    images = len(coco_eval.params.imgIds)
    result = []
    for place in range(len(coco_eval.params.catIds)):
        scores, hits, units = [], [], []
        positives = np.zeros(len(objects), np.int64)
        for item in coco_eval.evalImgs[place * images : (place + 1) * images]:
            if item is None:
                continue
            unit = unit_of[group_of[item["image_id"]]]
            counted = ~np.asarray(item["dtIgnore"][0], bool)
            positives[unit] += int(np.count_nonzero(~np.asarray(item["gtIgnore"], bool)))
            scores.append(np.asarray(item["dtScores"], np.float64)[counted])
            hits.append(np.asarray(item["dtMatches"][0] > 0)[counted])
            units.append(np.full(int(counted.sum()), unit))
        if positives.any():
            order = np.argsort(-np.concatenate(scores), kind="mergesort")
            result.append(Matches(np.concatenate(hits)[order], np.concatenate(units)[order], positives))
    return objects, result


def matched_at_50(dataset: Dataset, rows: list[DetectionRow], segments: bool) -> tuple[dict[int, int], list[int]]:
    """(annotation id -> place in ``rows`` of the detection matched to it at IoU 0.5, places of those matched to none).

    The matching is pycocotools' own, image by image and category by category.
    """
    coco_eval = evaluate_images(_coco(dataset, None), _coco(dataset, rows), "segm" if segments else "bbox")
    matched: dict[int, int] = {}
    alone: list[int] = []
    for item in coco_eval.evalImgs:
        if item is None:
            continue
        for number, truth, ignored in zip(item["dtIds"], item["dtMatches"][0], item["dtIgnore"][0], strict=True):
            if truth > 0:
                matched[int(truth)] = number - 1
            elif not ignored:
                alone.append(number - 1)
    return matched, sorted(alone)


def pixel_iou(
    dataset: Dataset, rows: list[DetectionRow], score_threshold: float | Mapping[int, float]
) -> dict[int, float | None]:
    """IoU of the union of instances, per category id, over the pixels of all images together."""
    inside = dict.fromkeys(dataset.category_names(), 0)
    either, true_pixels = dict(inside), dict(inside)
    predicted: dict[int, list[tuple[int, Rle]]] = defaultdict(list)
    for row in rows:
        least = score_threshold if isinstance(score_threshold, float) else score_threshold[row["category_id"]]
        if row["score"] >= least:
            predicted[row["image_id"]].append((row["category_id"], row["segmentation"]))
    actual = dataset.by_image()
    for image in dataset.images:
        found = _unions(predicted[image.id], image)
        true = _unions([(a.category_id, a.segmentation) for a in actual.get(image.id, []) if not a.iscrowd], image)
        nothing = np.zeros((image.height, image.width), bool)
        for key in found.keys() | true.keys():
            one, other = found.get(key, nothing), true.get(key, nothing)
            inside[key] += int(np.count_nonzero(one & other))
            either[key] += int(np.count_nonzero(one | other))
            true_pixels[key] += int(np.count_nonzero(other))
    return {key: inside[key] / either[key] if true_pixels[key] else None for key in inside}


def _unions(instances: list[tuple[int, Rle]], image: ImageRecord) -> dict[int, np.ndarray]:
    """Per category id, the union (H, W) of the instances of one image."""
    unions: dict[int, np.ndarray] = {}
    for key, rle in instances:
        before = unions.setdefault(key, np.zeros((image.height, image.width), bool))
        before |= decode_rle(rle) != 0
    return unions
