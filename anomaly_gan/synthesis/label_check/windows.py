"""Windows around defects for the label check's segmenters, folds by objects, and batches drawn from them.

Large defects are squeezed, but no further than by ``LARGEST_SCALE``, as thin ones would vanish. A segmenter learns on
square windows, of which a larger defect fills several, and judges the whole defect with room around it in one piece,
at the window's own resolution.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ...core.channels import channels_first
from ...core.dataset import Dataset, ImageRecord
from ...core.images import read_record
from ...core.masks import mask_box_xywh, windowed
from ...core.progress import track
from ...core.seeding import rng_for

OUTSIDE = 255
"""Label of what lies beyond the photograph: it counts neither as defect nor as background."""
ROOM = 1.6
"""Side of a window over the side of its defect, at least."""
LARGEST_SCALE = 2
PLACES = 3
"""Windows that a defect larger than one is learned from."""
MULTIPLE = 16
"""Judged windows have sides of this multiple, as nets of up to four stages need."""
SLACK = 0.25
"""How much larger than a window the stock it is drawn from is: the room for shifting it."""
FLAT_LEVELS = 8.0
"""Added to a window's standard deviation: nearly flat windows stay nearly flat."""


@dataclass(frozen=True)
class Window:
    """``pixels`` (H, W[, 3]) uint8 and ``labels`` (H, W) uint8: 0 background, 1.. categories by index, OUTSIDE."""

    pixels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Stock:
    """A window with slack, ready to be drawn: its object, and the category's index (None: a normal place)."""

    window: Window
    group: str
    category: int | None


def label_map(shape: tuple[int, ...], instances: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """labels (H, W) uint8 of (category index, mask_01) pairs; of overlapping ones the last."""
    labels = np.zeros(shape[:2], np.uint8)
    for index, mask in instances:
        labels[mask != 0] = index + 1
    return labels


def scale_for(box_xywh: Sequence[int], size: int) -> int:
    """Native pixels per pixel of the window, so that the box fits with room around it, if it can."""
    return min(LARGEST_SCALE, max(1, math.ceil(ROOM * max(box_xywh[2], box_xywh[3]) / size)))


def cut(
    pixels: np.ndarray, labels: np.ndarray, centre_xy: tuple[float, float], size_wh: tuple[int, int], scale: int
) -> Window:
    """The window of ``size_wh`` around a point, moved inside the photograph where it can be, else reflected."""
    native = [side * scale for side in size_wh]
    left, top = (
        min(max(round(at - side / 2), 0), max(0, limit - side))
        for at, side, limit in zip(centre_xy, native, pixels.shape[1::-1], strict=True)
    )
    picture = pixels[top : top + native[1], left : left + native[0]]
    marks = labels[top : top + native[1], left : left + native[0]]
    down, right = native[1] - picture.shape[0], native[0] - picture.shape[1]
    if down or right:
        picture = cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REFLECT_101)
        marks = cv2.copyMakeBorder(marks, 0, down, 0, right, cv2.BORDER_CONSTANT, value=OUTSIDE)
    if scale > 1:
        picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
        marks = _squeeze(marks, size_wh)
    return Window(np.ascontiguousarray(picture), np.ascontiguousarray(marks))


def _squeeze(labels: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Labels at a smaller size: a pixel is a defect's where it is covered by two fifths (thin ones would vanish at
    one half), and lies outside where most of it does."""
    result = np.zeros(size_wh[::-1], np.uint8)
    for value in np.unique(labels[labels > 0]):
        cover = cv2.resize((labels == value).astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
        least = 0.5 if value == OUTSIDE else 0.4
        result[(cover >= least) if (cover >= least).any() else (cover > 0)] = value
    return result


def whole(pixels: np.ndarray, labels: np.ndarray, mask_01: np.ndarray, size: int) -> Window:
    """The window an instance is judged in: all of it with room around, at least ``size`` px a side where the
    photograph is that large."""
    box = mask_box_xywh(mask_01)
    scale = scale_for(box, size)
    sides = []
    for side, limit in zip(box[2:], pixels.shape[1::-1], strict=True):
        wanted = min(max(size, math.ceil(ROOM * side / scale)), math.ceil(limit / scale))
        sides.append(math.ceil(wanted / MULTIPLE) * MULTIPLE)
    return cut(pixels, labels, (box[0] + box[2] / 2, box[1] + box[3] / 2), (sides[0], sides[1]), scale)


def learned(pixels: np.ndarray, labels: np.ndarray, mask_01: np.ndarray, size: int) -> list[Window]:
    """The windows, with slack, that an instance is learned from: one around it, or some along it."""
    box = mask_box_xywh(mask_01)
    scale, side = scale_for(box, size), round(size * (1 + SLACK))
    centres = [(box[0] + box[2] / 2, box[1] + box[3] / 2)]
    if max(box[2:]) > size * scale:
        rows, columns = np.nonzero(mask_01)
        order = np.lexsort((rows, columns) if box[2] > box[3] else (columns, rows))
        picks = order[[(2 * place + 1) * len(order) // (2 * PLACES) for place in range(PLACES)]]
        centres = [(float(columns[at]), float(rows[at])) for at in picks]
    return [cut(pixels, labels, centre, (side, side), scale) for centre in centres]


def assign_folds(train: Dataset, folds: int) -> dict[str, int]:
    """Object -> fold: objects with many defects first, each to the fold with fewest objects of their categories.

    Every object gets one, those without defects too; the same data set gives the same folds.
    """
    groups = {image.id: image.group_id for image in train.images}
    load: dict[str, Counter[int]] = {image.group_id: Counter() for image in train.images}
    for annotation in train.annotations:
        load[groups[annotation.image_id]][annotation.category_id] += 1
    filled: list[Counter[int]] = [Counter() for _ in range(folds)]
    members = [0] * folds
    chosen = {}
    for group in sorted(load, key=lambda group: (-sum(load[group].values()), group)):
        at = min(range(folds), key=lambda fold: (sum(filled[fold][key] for key in load[group]), members[fold], fold))
        filled[at].update(load[group].keys())
        members[at] += 1
        chosen[group] = at
    return chosen


@dataclass(frozen=True)
class Shown:
    """A real training photograph with its defects: pixels, label map, and the masks that get windows."""

    image: ImageRecord
    pixels: np.ndarray
    labels: np.ndarray
    instances: list[tuple[int, np.ndarray]]


def real_defects(train: Dataset, gray: bool) -> list[Shown]:
    """The training photographs with defects, in the order of their names."""
    index = {category.id: at for at, category in enumerate(train.categories)}
    of_image, shown = train.by_image(), []
    for image in track(sorted(train.images, key=lambda image: image.file_name), "decode"):
        instances = [(index[item.category_id], item.mask()) for item in of_image.get(image.id, []) if not item.iscrowd]
        if not instances:
            continue
        pixels = read_record(train, image, gray)
        chosen = [instances[at] for at in windowed([mask for _, mask in instances])]
        shown.append(Shown(image, pixels, label_map(pixels.shape, instances), chosen))
    return shown


def normal_windows(train: Dataset, scales: Sequence[int], size: int, most: int, gray: bool, seed: int) -> list[Stock]:
    """One window, with slack, at a random place of each of at most ``most`` photographs without a defect.

    Args:
        train: the training split.
        scales: a window is that many times larger before it is shrunk.
        size: side of a window in pixels.
        most: most photographs looked at.
        gray: whether photographs are read as gray.
        seed: of every random choice made here.

    Returns:
        The windows, with room for the draws of a batch.
    """
    normals = sorted(train.normals(), key=lambda image: image.file_name)
    if len(normals) > most:
        rng = rng_for(seed, "normals")
        normals = [normals[at] for at in sorted(rng.choice(len(normals), most, replace=False))]
    found = []
    for image in track(normals, "decode normals"):
        rng = rng_for(seed, "normal", image.file_name)
        pixels = read_record(train, image, gray)
        place = tuple(float(rng.uniform(0, side)) for side in pixels.shape[1::-1])
        side = round(size * (1 + SLACK))
        window = cut(
            pixels,
            label_map(pixels.shape, []),
            (place[0], place[1]),
            (side, side),
            int(scales[int(rng.integers(len(scales)))]),
        )
        found.append(Stock(window, image.group_id, None))
    return found


def standardised(window: np.ndarray) -> np.ndarray:
    """uint8 (H, W[, 3]) -> float32 (C, H, W) of mean 0 and standard deviation near 1: exposures look alike."""
    image = channels_first(window).astype(np.float32)
    return (image - image.mean()) / (image.std() + FLAT_LEVELS)


class WindowSource:
    """Batches for the segmenter of one fold: windows of the other folds' objects. A batch depends on (seed, step)."""

    def __init__(
        self,
        stocks: Sequence[Stock],
        fold_of: Mapping[str, int],
        held_out: int,
        size: int,
        batch: int,
        normal_share: float,
        seed: int,
    ) -> None:
        self.size, self.batch_size, self.seed = size, batch, seed
        self.normals = [stock for stock in stocks if stock.category is None and fold_of[stock.group] != held_out]
        self.defects: dict[int, dict[str, list[Stock]]] = {}
        for stock in stocks:
            if stock.category is not None and fold_of[stock.group] != held_out:
                self.defects.setdefault(stock.category, {}).setdefault(stock.group, []).append(stock)
        self.normal_share = normal_share if self.normals else 0.0

    @property
    def objects(self) -> set[str]:
        """The objects it draws from."""
        return {stock.group for stock in self.normals} | {group for by in self.defects.values() for group in by}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """images (B, C, S, S) standardised, labels (B, S, S) int64; categories and their objects equally often."""
        rng = rng_for(self.seed, "batch", step)
        rows = [self._row(rng) for _ in range(self.batch_size)]
        images, labels = zip(*rows, strict=True)
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels).astype(np.int64))

    def _row(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        stock = self._draw(rng)
        free = len(stock.window.labels) - self.size + 1
        top, left = (int(at) for at in rng.integers(free, size=2))
        pixels = stock.window.pixels[top : top + self.size, left : left + self.size]
        labels = stock.window.labels[top : top + self.size, left : left + self.size]
        if rng.integers(2):
            pixels, labels = pixels[:, ::-1], labels[:, ::-1]
        quarters = int(rng.integers(4))
        return standardised(np.rot90(pixels, quarters)), np.rot90(labels, quarters)

    def _draw(self, rng: np.random.Generator) -> Stock:
        if rng.random() < self.normal_share:
            return self.normals[int(rng.integers(len(self.normals)))]
        categories = sorted(self.defects)
        by_group = self.defects[categories[int(rng.integers(len(categories)))]]
        stocks = by_group[sorted(by_group)[int(rng.integers(len(by_group)))]]
        return stocks[int(rng.integers(len(stocks)))]
