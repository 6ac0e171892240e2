"""What a detector says of photographs: instances, and, where it gives them, a score of the whole and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord
from anomaly_gan.core.images import read_record
from anomaly_gan.core.masks import encode_rle, encode_rle_box
from anomaly_gan.core.progress import track

from ..data import CategoryMap, read_resized
from ..dense.instances import Found, Inspected
from ..dense.pixels import PixelCounts
from ..dense.priors import read_prior
from ..training.finetune import image_tensor
from .evaluate import DetectionRow


@runtime_checkable
class Inspector(Protocol):
    """A net that takes photographs at their own size, uint8 (H, W) or (H, W, 3), whatever that is."""

    def inspect(self, pixels: np.ndarray, device: torch.device, prior: np.ndarray | None = None) -> Inspected: ...


@dataclass(frozen=True)
class Reading:
    """Of a data set: COCO result rows, scores by image id, and counts for the average precision of pixels."""

    rows: list[DetectionRow]
    scores: dict[int, float] | None
    pixels: PixelCounts | None


def read_detections(
    net: nn.Module,
    dataset: Dataset,
    categories: CategoryMap,
    longest: int,
    device: torch.device,
    priors: Path | None = None,
) -> Reading:
    """Run ``net`` on every image, one at a time: what it finds in one never depends on the others.

    ``longest``: the longest side that a net sees which takes photographs shrunk.
    """
    net.eval()
    rows: list[DetectionRow] = []
    scores: dict[int, float] = {}
    counts = PixelCounts.of(len(categories))
    truth = dataset.by_image()
    for image in track(dataset.images, "detect"):
        if not isinstance(net, Inspector):
            rows += _shrunk(net, dataset, image, categories, longest, device)
            continue
        pixels = read_record(dataset, image, gray=dataset.info.get("mode", "RGB") == "L")
        seen = net.inspect(pixels, device, None if priors is None else read_prior(priors, image))
        rows += [row_of(item, image, categories) for item in seen.found]
        if seen.score is not None and seen.maps_KHW is not None:
            scores[image.id] = round(seen.score, 6)
            counts.add(seen.maps_KHW, _layers(truth.get(image.id, []), categories))
    return Reading(rows, scores, counts) if scores else Reading(rows, None, None)


def detect(
    net: nn.Module,
    dataset: Dataset,
    categories: CategoryMap,
    longest: int,
    device: torch.device,
    priors: Path | None = None,
) -> list[DetectionRow]:
    """The rows of :func:`read_detections`."""
    return read_detections(net, dataset, categories, longest, device, priors).rows


def row_of(found: Found, image: ImageRecord, categories: CategoryMap) -> DetectionRow:
    """A COCO result row."""
    height, width = found.bitmap_01.shape
    return {
        "image_id": image.id,
        "category_id": categories.category_id(found.label),
        "score": round(found.score, 6),
        "bbox": [found.x, found.y, width, height],
        "segmentation": encode_rle_box(found.bitmap_01, found.x, found.y, (image.height, image.width)),
    }


def _layers(annotations: list[Annotation], categories: CategoryMap) -> np.ndarray | None:
    if not annotations:
        return None
    layers = np.zeros((len(categories), *annotations[0].mask().shape), np.uint8)
    for item in annotations:
        if not item.iscrowd:
            layers[categories.label(item.category_id) - 1] |= item.mask()
    return layers


@torch.no_grad()
def _shrunk(
    net: nn.Module,
    dataset: Dataset,
    image: ImageRecord,
    categories: CategoryMap,
    longest: int,
    device: torch.device,
) -> list[DetectionRow]:
    pixels = read_resized(dataset, image, longest)
    found = net([image_tensor(pixels).to(device)])[0]
    return _rows(image, {name: value.cpu() for name, value in found.items()}, pixels.shape[:2], categories)


def _rows(
    image: ImageRecord, found: Mapping[str, Tensor], size: tuple[int, ...], categories: CategoryMap
) -> list[DetectionRow]:
    """Detections of one image, scaled from working size (h, w) to the original."""
    scale_x, scale_y = image.width / size[1], image.height / size[0]
    rows = []
    for number, (box, label, score) in enumerate(
        zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
    ):
        x1, y1, x2, y2 = box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y
        row: DetectionRow = {
            "image_id": image.id,
            "category_id": categories.category_id(label),
            "score": round(score, 6),
            "bbox": [round(v, 3) for v in (x1, y1, x2 - x1, y2 - y1)],
        }
        if "masks" in found:
            share = cv2.resize(
                found["masks"][number, 0].numpy(), (image.width, image.height), interpolation=cv2.INTER_LINEAR
            )
            row["segmentation"] = encode_rle(share >= 0.5)
        rows.append(row)
    return rows
