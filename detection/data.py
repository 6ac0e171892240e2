"""Photographs and instances for a detector, decoded once and kept in memory at the size the net sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_record
from anomaly_gan.core.masks import mask_box_xywh
from anomaly_gan.core.progress import track


@dataclass(frozen=True)
class CategoryMap:
    """Category ids and names of a data set against the labels 1 .. K of a net (0 is background)."""

    ids: tuple[int, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, categories: Sequence[Category]) -> CategoryMap:
        ordered = sorted(categories, key=lambda category: category.id)
        return cls(tuple(category.id for category in ordered), tuple(category.name for category in ordered))

    def __len__(self) -> int:
        return len(self.ids)

    def label(self, category_id: int) -> int:
        return self.ids.index(category_id) + 1

    def category_id(self, label: int) -> int:
        return self.ids[label - 1]

    def check(self, dataset: Dataset, where: str) -> None:
        """Stop where the data set's categories are not these, or an annotation names none of them.

        Raises:
            InputError: K4 (other categories) or K3 (an annotation of an undeclared category).
        """
        other = CategoryMap.of(dataset.categories)
        if other != self:
            raise InputError(
                where,
                "K4",
                f"categories {_listed(other)} are not the expected {_listed(self)}",
                "use the categories of the data set the detector belongs to",
            )
        for annotation in dataset.annotations:
            if annotation.category_id not in self.ids:
                raise InputError(
                    f"{where}[annotation {annotation.id}]",
                    "K3",
                    f"category {annotation.category_id} is not declared",
                    "run ingest again",
                )


def _listed(mapping: CategoryMap) -> str:
    return ", ".join(f"{index}={name}" for index, name in zip(mapping.ids, mapping.names, strict=True)) or "(none)"


@dataclass(frozen=True)
class Example:
    """One photograph at working size: uint8 (H, W) or (H, W, 3), and its instances in that frame."""

    pixels: np.ndarray
    masks: list[np.ndarray]
    labels: list[int]
    source: str


@dataclass(frozen=True)
class Examples:
    """All photographs of one split in memory. ``dropped`` counts instances that the net cannot be shown."""

    items: list[Example]
    dropped: Counter[str] = field(default_factory=Counter)

    def indices(self, source: str, with_defect: bool | None = None) -> list[int]:
        return [
            index
            for index, item in enumerate(self.items)
            if item.source == source and with_defect in (None, bool(item.labels))
        ]


def working_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """(width, height) with the longest side equal to ``longest``, aspect kept, at least one pixel each."""
    scale = longest / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def read_resized(dataset: Dataset, image: ImageRecord, longest: int) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of a photograph at working size; averaged where it shrinks."""
    pixels = read_record(dataset, image, gray=dataset.gray)
    size = working_size(image.width, image.height, longest)
    shrinks = size[0] < image.width
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def load_examples(dataset: Dataset, categories: CategoryMap, longest: int | None) -> Examples:
    """Decode every image of ``dataset``, at its own size where ``longest`` is None. Crowd regions, and instances that
    vanish at working size, are dropped and counted; an image that has lost all its instances so stays out, lest a
    defect be taught as background.
    """
    by_image = dataset.by_image()
    dropped: Counter[str] = Counter()
    items = []
    for image in track(dataset.images, "read images"):
        masks, labels = [], []
        annotations = by_image.get(image.id, [])
        for annotation in annotations:
            own = (image.width, image.height)
            size = own if longest is None else working_size(*own, longest)
            mask_01, reason = _resized_mask(annotation, size)
            if mask_01 is None:
                dropped[reason] += 1
            else:
                masks.append(mask_01)
                labels.append(categories.label(annotation.category_id))
        if annotations and not labels:
            dropped["image_left_without_instances"] += 1
        else:
            pixels = read_resized(dataset, image, longest or max(image.width, image.height))
            items.append(Example(pixels, masks, labels, image.source))
    return Examples(items, dropped)


def _resized_mask(annotation: Annotation, size: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    """The instance's mask_01 at working size, or the reason why it cannot be used."""
    if annotation.iscrowd:
        return None, "crowd"
    share = cv2.resize(annotation.mask().astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mask_01 = (share >= 0.5).astype(np.uint8)
    if not mask_01.any():
        return None, "vanished_at_working_size"
    return mask_01, ""


SHOWN = 0.2
"""An instance of which a tile shows less than this share is not taught there."""


def cut_tile(example: Example, side: int, rng: np.random.Generator) -> Example:
    """A tile of ``side`` pixels at the photograph's own scale, near an instance drawn at random where it shows one;
    black beyond the photograph's edge. Instances cut off for the most part are left out, unless nothing else is there.
    """
    height, width = example.pixels.shape[:2]
    corner = [int(rng.integers(0, max(1, length - side + 1))) for length in (height, width)]
    if example.masks:
        ys, xs = np.nonzero(example.masks[int(rng.integers(len(example.masks)))])
        pick = int(rng.integers(len(ys)))
        shift = rng.uniform(0.2, 0.8, 2) * side
        wanted = (ys[pick] - shift[0], xs[pick] - shift[1])
        limits = (max(0, height - side), max(0, width - side))
        corner = [int(np.clip(value, 0, limit)) for value, limit in zip(wanted, limits, strict=True)]
    place = (slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
    shares = [float(mask[place].sum()) / float(mask.sum()) for mask in example.masks]
    least = min(SHOWN, max(shares, default=0.0))
    kept = [number for number, share in enumerate(shares) if share > 0 and share >= least]
    return Example(
        padded_tile(example.pixels[place], side),
        [padded_tile(example.masks[number][place], side) for number in kept],
        [example.labels[number] for number in kept],
        example.source,
    )


def padded_tile(array: np.ndarray, side: int) -> np.ndarray:
    """(h, w[, 3]) in the upper left of a black square of ``side``."""
    below, right = side - array.shape[0], side - array.shape[1]
    return np.pad(array, ((0, below), (0, right), *[(0, 0)] * (array.ndim - 2)))


def augment(example: Example, flip: bool, gamma: float, rng: np.random.Generator) -> Example:
    """Mirror at random (where ``flip``) and change the gamma between 1/(1+gamma) and 1+gamma: the same light
    augmentation for every arm of a comparison.
    """
    mirrored = flip and rng.random() < 0.5
    exponent = float(np.exp(rng.uniform(-1, 1) * np.log1p(gamma)))
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    pixels = table[example.pixels]
    if not mirrored:
        return Example(pixels, example.masks, example.labels, example.source)
    masks = [np.ascontiguousarray(mask[:, ::-1]) for mask in example.masks]
    return Example(np.ascontiguousarray(pixels[:, ::-1]), masks, example.labels, example.source)


def boxes_xyxy(masks: list[np.ndarray]) -> np.ndarray:
    """Tight boxes float32 (N, 4), x2 and y2 one past the last pixel, so that every box has an area."""
    boxes = [mask_box_xywh(mask) for mask in masks]
    return np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32).reshape(-1, 4)
