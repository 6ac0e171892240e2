"""What a detector says of photographs: instances, and, where it gives them, a score of the whole and maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.dataset import Annotation, Dataset, ImageRecord
from anomaly_gan.core.images import read_record
from anomaly_gan.core.masks import encode_rle, encode_rle_box, mask_box_xywh
from anomaly_gan.core.progress import track

from ..data import CategoryMap, padded_tile, read_resized, working_size
from ..dense.instances import Found, Inspected
from ..dense.pixels import PixelCounts
from ..dense.priors import read_prior
from ..tiles import Window, windows
from ..training.finetune import image_tensor
from .evaluate import DetectionRow
from .stitching import stitched


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
    on_image: Callable[[], None] = lambda: None,
) -> Reading:
    """Run ``net`` on every image, one at a time: what it finds in one never depends on the others.

    ``longest``: the longest side that a net sees which takes photographs shrunk.

    Args:
        net: the net, in evaluation mode.
        dataset: the data set.
        categories: labels of the net against category ids.
        longest: longest side in pixels that a net sees which takes photographs shrunk.
        device: where to compute.
        priors: folder of the photographs' one-class maps; None: the net has no such input.
        on_image: called before each photograph; what it raises ends the reading.

    Returns:
        Rows, scores of whole photographs, counts of pixels.
    """
    net.eval()
    rows: list[DetectionRow] = []
    scores: dict[int, float] = {}
    counts = PixelCounts.of(len(categories))
    truth = dataset.by_image()
    for image in track(dataset.images, "detect"):
        on_image()
        if not isinstance(net, Inspector) and getattr(net, "native_tile", None) is None:
            rows += _shrunk(net, dataset, image, categories, longest, device)
            continue
        pixels = read_record(dataset, image, gray=dataset.gray)
        prior = None if priors is None else read_prior(priors, image)
        seen = (
            net.inspect(pixels, device, prior)
            if isinstance(net, Inspector)
            else inspect_pixels(net, pixels, longest, device)
        )
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
    """The rows of :func:`read_detections`.

    Args:
        net: the net, in evaluation mode.
        dataset: the data set.
        categories: labels of the net against category ids.
        longest: longest side in pixels that a net sees which takes photographs shrunk.
        device: where to compute.
        priors: folder of the photographs' one-class maps; None: the net has no such input.

    Returns:
        COCO result rows.
    """
    return read_detections(net, dataset, categories, longest, device, priors).rows


def inspect_pixels(net: nn.Module, pixels: np.ndarray, longest: int, device: torch.device) -> Inspected:
    """What a net finds in a photograph, uint8 (H, W) or (H, W, 3), at the photograph's own size: as a whole where it
    takes any size, in tiles where it was trained on tiles, else shrunk to ``longest``.
    """
    if isinstance(net, Inspector):
        return net.inspect(pixels, device)
    tile = getattr(net, "native_tile", None)
    if tile is not None:
        parts = windows(pixels.shape[0], pixels.shape[1], tile, tile // 4)
        placed = [(item, part) for part in parts for item in _in_tile(net, pixels, part, tile, device)]
        return Inspected(stitched(placed))
    height, width = pixels.shape[:2]
    size = working_size(width, height, longest)
    shrunk = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR)
    return Inspected(_instances(_run(net, shrunk, device), (width, height), (width / size[0], height / size[1])))


def _in_tile(net: nn.Module, pixels: np.ndarray, part: Window, tile: int, device: torch.device) -> list[Found]:
    """Instances of one window, in the photograph's frame."""
    seen = padded_tile(pixels[part.y : part.y + part.height, part.x : part.x + part.width], tile)
    found = _instances(_run(net, seen, device), (tile, tile), (1.0, 1.0))
    inside = []
    for item in found:
        bitmap = item.bitmap_01[: part.height - item.y, : part.width - item.x]
        if item.y < part.height and item.x < part.width and bitmap.any():
            inside.append(Found(item.label, item.score, part.x + item.x, part.y + item.y, bitmap))
    return inside


@torch.no_grad()
def _run(net: nn.Module, pixels: np.ndarray, device: torch.device) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in net([image_tensor(pixels).to(device)])[0].items()}


def _instances(found: Mapping[str, Tensor], size_wh: tuple[int, int], scale_xy: tuple[float, float]) -> list[Found]:
    """torchvision's detections as instances in a frame of ``size_wh``; a net without masks gives filled boxes."""
    items = []
    for number, (box, label, score) in enumerate(
        zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
    ):
        if "masks" in found:
            share = cv2.resize(found["masks"][number, 0].numpy(), size_wh, interpolation=cv2.INTER_LINEAR)
            mask_01 = (share >= 0.5).astype(np.uint8)
        else:
            mask_01 = np.zeros(size_wh[::-1], np.uint8)
            x1, y1, x2, y2 = (round(value * scale_xy[axis % 2]) for axis, value in enumerate(box))
            mask_01[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = 1
        if mask_01.any():
            x, y, w, h = mask_box_xywh(mask_01)
            items.append(Found(int(label), float(score), x, y, mask_01[y : y + h, x : x + w]))
    return sorted(items, key=lambda item: -item.score)


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
