"""Training pairs: a normal photograph with a pool mask, and a real defect with its own, in windows or whole.

Everything is decoded once. A batch depends on (seed, step) alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ...core.channels import channels_first
from ...core.dataset import Annotation, Dataset
from ...core.errors import InputError
from ...core.images import read_record
from ...core.masks import decode_rle, grow
from ...core.progress import track
from ...core.seeding import rng_for
from .exemplar import Exemplar, warp
from .substance import OF_THE_SURFACE, Substance, learn_substance

LOOKED_AT = 64
"""Real defects of a category from which it is learned what they are made of."""


@dataclass(frozen=True)
class Framing:
    """``size``: side of the net's input. Windowed: ``size * scale`` native pixels, the scale chosen so that the
    defect fits where it can. Whole: the photograph squeezed to a square (the paper's way)."""

    size: int
    scales: tuple[int, ...] = (1,)
    whole: bool = False

    def scale_for(self, box_xywh: list[int]) -> int:
        """The smallest scale at which the box fits with room around it, else the largest."""
        needed = 1.2 * max(box_xywh[2], box_xywh[3])
        return next((scale for scale in sorted(self.scales) if needed <= self.size * scale), max(self.scales))


@dataclass(frozen=True)
class Batch:
    """One training step's input. Images in [-1, 1], masks in {0, 1}; row i of both cycles has one category.

    ``painted_out`` is ``abnormal`` with its defect inpainted, or ``abnormal`` itself where nobody asked for it.
    Where the source warps exemplars, ``exemplar`` is ``normal`` with the real defect of the same row warped to its
    mask, and ``own_exemplar`` is ``painted_out`` with that exemplar warped back under the defect's own mask.
    ``row_before``: of a part of a batch, the row that comes before its first one.
    """

    normal_BCHW: Tensor
    normal_mask_B1HW: Tensor
    abnormal_BCHW: Tensor
    abnormal_mask_B1HW: Tensor
    category_B: Tensor
    noise_B2HW: Tensor
    painted_out_BCHW: Tensor
    exemplar_BCHW: Tensor | None = None
    own_exemplar_BCHW: Tensor | None = None
    row_before: Batch | None = None

    def to(self, device: torch.device) -> Batch:
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def rows(self, first: int, last: int) -> Batch:
        """The rows from ``first`` up to but without ``last``, as a batch of their own."""
        return replace(self, row_before=None)._each(lambda tensor: tensor[first:last])

    def part(self, number: int, of: int) -> Batch:
        """What process ``number`` of ``of`` takes of this batch: equal blocks of rows, in order."""
        rows = len(self.category_B) // of
        before = (number * rows - 1) % len(self.category_B)
        return replace(self.rows(number * rows, (number + 1) * rows), row_before=self.rows(before, before + 1))

    def rolled(self, name: str) -> Tensor:
        """Each row's tensor of that name taken from the row before it, of the whole batch where this is a part."""
        tensor = getattr(self, name)
        before = tensor[-1:] if self.row_before is None else getattr(self.row_before, name)
        return torch.cat([before, tensor[:-1]])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Batch(**tensors, row_before=self.row_before._each(change) if self.row_before else None)


@dataclass(frozen=True)
class Row:
    """One row of a batch: its columns in the order of ``Batch``, exemplars where there are any, and what is in it, for
    a message."""

    columns: tuple[np.ndarray, ...]
    name: str


@dataclass(frozen=True)
class Window:
    """What a net sees of a photograph: uint8 (H, W) or (H, W, 3), its mask (1, H, W) in {0, 1}, where from."""

    pixels: np.ndarray
    mask_1HW: np.ndarray
    name: str


def stack(rows: list[Row]) -> Batch:
    names = [field.name for field in fields(Batch) if field.name != "row_before"]
    columns = list(zip(*(row.columns for row in rows), strict=True))  # without the last two where none are warped
    tensors = {
        name: torch.from_numpy(np.stack(column)) for name, column in zip(names[: len(columns)], columns, strict=True)
    }
    return Batch(**tensors, row_before=None)


def to_signed(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) to float32 (C, H, W) in [-1, 1]."""
    image = channels_first(pixels)
    return image.astype(np.float32) / 127.5 - 1.0


def to_pixels(image_CHW: Tensor) -> np.ndarray:
    """[-1, 1] to uint8 (H, W) or (H, W, 3)."""
    pixels = ((image_CHW.float().cpu().numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


class PairSource:
    """Draws training batches from the training split and the pool."""

    def __init__(
        self,
        train: Dataset,
        pool: Dataset,
        framing: Framing,
        batch: int,
        seed: int,
        gray: bool,
        flips: bool = True,
        paint_out: bool = False,
        exemplars: bool = False,
    ) -> None:
        self.framing, self.batch_size, self.seed, self.flips = framing, batch, seed, flips
        self.paint_out, self.exemplars = paint_out, exemplars
        self.categories = [category.id for category in train.categories]
        self.fixed = {category.id for category in train.categories if category.name in pool.info.get("fixed_shape", [])}
        self.pixels = {image.file_name: read_record(train, image, gray) for image in track(train.images, "decode")}
        names = {image.id: image.file_name for image in train.images}
        groups = {image.id: image.group_id for image in train.images}
        # by category and object: an object is drawn first, so that one with many photographs is not drawn more often
        self.abnormal: dict[int, dict[str, list[tuple[str, Annotation]]]] = {}
        for annotation in whole_masks(train.annotations) if framing.whole else train.annotations:
            by_group = self.abnormal.setdefault(annotation.category_id, {})
            by_group.setdefault(groups[annotation.image_id], []).append((names[annotation.image_id], annotation))
        normals = {image.id: image.extra["normal_file"] for image in pool.images}
        self.mask_files = {image.id: image.file_name for image in pool.images}
        self.normal: dict[int, list[tuple[str, Annotation]]] = {}
        for annotation in whole_masks(pool.annotations) if framing.whole else pool.annotations:
            self.normal.setdefault(annotation.category_id, []).append((normals[annotation.image_id], annotation))
        self.substances = {one.id: self._substance(one.id) for one in train.categories} if exemplars else {}
        for category in train.categories:
            if not self.abnormal.get(category.id) or not self.normal.get(category.id):
                raise InputError(
                    category.name,
                    "G13",
                    "no training defect or no pool mask of this category",
                    "label at least one, or leave the category out",
                )

    def _substance(self, category: int) -> Substance:
        """What a category's defects are made of."""
        found = [one for group in sorted(self.abnormal.get(category, {})) for one in self.abnormal[category][group]]
        rng, seen = rng_for(self.seed, "follows", category), []
        for file, annotation in found[:: max(1, len(found) // LOOKED_AT)][:LOOKED_AT]:
            pixels, mask = cut_window(
                self.pixels[file], decode_rle(annotation.segmentation), annotation.bbox, self.framing, rng
            )
            seen.append(Exemplar(pixels, mask).evidence())
        return learn_substance(seen)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return stack(self._rows(step))

    def names(self, step: int) -> list[str]:
        """What is in each row of the batch of a step: photographs and masks, for a message."""
        return [row.name for row in self._rows(step)]

    def _rows(self, step: int) -> list[Row]:
        rng = rng_for(self.seed, "batch", step)
        return [self._row(rng) for _ in range(self.batch_size)]

    def _row(self, rng: np.random.Generator) -> Row:
        index = int(rng.integers(len(self.categories)))
        category = self.categories[index]
        by_group = self.abnormal[category]
        group = sorted(by_group)[int(rng.integers(len(by_group)))]
        real_file, real = by_group[group][int(rng.integers(len(by_group[group])))]
        normal = self.normal_window(category, rng)
        abnormal, abnormal_mask = self._cut(real_file, real, rng, category not in self.fixed)
        noise = self.noise(rng)
        pseudo = paint_out(abnormal, abnormal_mask[0], normal.pixels) if self.paint_out else abnormal
        substance = self.substances.get(category, OF_THE_SURFACE)
        columns = (
            to_signed(normal.pixels),
            normal.mask_1HW,
            to_signed(abnormal),
            abnormal_mask,
            np.array(index),
            noise,
            to_signed(pseudo),
            *self.warped(normal, Window(abnormal, abnormal_mask, real_file), pseudo, substance),
        )
        return Row(columns, f"{real_file}[annotation {real.id}] with {normal.name}")

    def warped(
        self, normal: Window, defect: Window, painted_out: np.ndarray, substance: Substance = OF_THE_SURFACE
    ) -> tuple[np.ndarray, ...]:
        """A row's two exemplars; none where nobody asked for them. ``substance``: as an ``Exemplar``'s."""
        if not self.exemplars:
            return ()
        mask, own_mask = normal.mask_1HW[0], defect.mask_1HW[0]
        there = warp(Exemplar(defect.pixels, own_mask, substance), normal.pixels, mask)
        back = warp(Exemplar(there, mask, substance, normal.pixels), painted_out, own_mask)
        return to_signed(there), to_signed(back)

    def normal_window(self, category: int, rng: np.random.Generator) -> Window:
        """A window of a normal photograph with one of the pool's masks of that category (an id)."""
        file, planned = self.normal[category][int(rng.integers(len(self.normal[category])))]
        pixels, mask_1HW = self._cut(file, planned, rng, category not in self.fixed)
        return Window(pixels, mask_1HW, f"{file} under {self.mask_files[planned.image_id]}")

    def noise(self, rng: np.random.Generator) -> np.ndarray:
        """(2, H, W) standard normal: a value a pixel, and one for all pixels."""
        side = self.framing.size
        return np.concatenate(
            [rng.standard_normal((1, side, side)), np.broadcast_to(rng.standard_normal(), (1, side, side))]
        ).astype(np.float32)

    def _cut(
        self, file: str, annotation: Annotation, rng: np.random.Generator, turn: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        pixels, mask = self.pixels[file], decode_rle(annotation.segmentation)
        side = self.framing.size
        if self.framing.whole:
            pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
            mask = shrink_mask(mask, side)
        else:
            pixels, mask = cut_window(pixels, mask, annotation.bbox, self.framing, rng)
        if self.flips:
            pixels, mask = _flip(pixels, mask, rng, turn)
        return pixels, mask[None].astype(np.float32)


def whole_masks(annotations: list[Annotation]) -> list[Annotation]:
    """One annotation per image and category, covering all its instances: what a whole photograph is masked with
    (paper: one mask, one box around the anomaly region)."""
    grouped: dict[tuple[int, int], list[Annotation]] = {}
    for annotation in annotations:
        grouped.setdefault((annotation.image_id, annotation.category_id), []).append(annotation)
    return [
        Annotation.from_mask(group[0].id, *key, np.maximum.reduce([one.mask() for one in group]))
        for key, group in grouped.items()
    ]


def paint_out(pixels: np.ndarray, mask: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """``pixels`` with the defect under ``mask`` replaced: inpainted, with the fine grain of a ``normal`` photograph.

    Telea's inpainting alone leaves a smooth patch, which would tell the generator where the defect belongs.
    """
    grown = grow(mask, 2)
    filled = cv2.inpaint(pixels, grown, 3, cv2.INPAINT_TELEA).astype(np.float32)
    grain = normal.astype(np.float32) - cv2.GaussianBlur(normal, (0, 0), 3).astype(np.float32)
    chosen = grown > 0 if pixels.ndim == 2 else grown[:, :, None] > 0
    return np.where(chosen, (filled + grain).round().clip(0, 255), pixels).astype(np.uint8)


def cut_window(
    pixels: np.ndarray, mask: np.ndarray, box_xywh: list[int], framing: Framing, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A square window of ``framing.size`` that shows the defect, or a part of it where it is larger."""
    scale = framing.scale_for(box_xywh)
    native = framing.size * scale
    x, y, width, height = box_xywh
    centre = np.array([x + width / 2, y + height / 2])
    if max(width, height) > native:
        rows, columns = np.nonzero(mask[y : y + height, x : x + width])
        pick = int(rng.integers(len(rows)))
        centre = np.array([x + columns[pick], y + rows[pick]], float)
    left, top = np.rint(centre - native / 2 + rng.uniform(-native / 8, native / 8, 2)).astype(int)
    left = int(np.clip(left, 0, max(0, pixels.shape[1] - native)))
    top = int(np.clip(top, 0, max(0, pixels.shape[0] - native)))
    window = pixels[top : top + native, left : left + native]
    piece = mask[top : top + native, left : left + native]
    down, right = native - window.shape[0], native - window.shape[1]
    if down or right:
        window = cv2.copyMakeBorder(window, 0, down, 0, right, cv2.BORDER_REFLECT_101)
        piece = cv2.copyMakeBorder(piece, 0, down, 0, right, cv2.BORDER_CONSTANT, value=0)
    if scale > 1:
        window = cv2.resize(window, (framing.size, framing.size), interpolation=cv2.INTER_AREA)
        piece = shrink_mask(piece, framing.size)
    return window, piece


def shrink_mask(mask_01: np.ndarray, side: int) -> np.ndarray:
    """A mask squeezed to a square: half-covered pixels count, or any touched ones where none is half-covered."""
    cover = cv2.resize(mask_01.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return ((cover >= 0.5) if (cover >= 0.5).any() else (cover > 0)).astype(np.uint8)


def _flip(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator, turn: bool) -> tuple[np.ndarray, np.ndarray]:
    """A random mirror image and, unless the pose is fixed, a random quarter turn."""
    mirrored, quarters = bool(rng.integers(2)), int(rng.integers(4)) if turn else 0
    if mirrored and turn:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, quarters)), np.ascontiguousarray(np.rot90(mask, quarters))
