"""Windows from noise set into normal photographs, by a trained CGAN or LSGAN.

Deviation: the published methods make whole photographs; ours make the window around the defect, at the place of a
pool item, because the photographs differ in size. Nothing fits the window to its surroundings but two pixels of
blending at its border.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from ....core.channels import over_channels
from ....core.dataset import Annotation
from ....core.images import read_record
from ....core.masks import union
from ....core.seeding import rng_for
from ...interface import Generate, MethodInputs, PoolItem, Sample
from ...pairs.windows import Framing, shrink_mask
from ..painting.generator import corner, load_net, reach, read_model
from ..painting.networks import build_framing
from .task import LATENT, build_noise_generator, split_picture

BLEND_PX = 2
"""Pixels over which a window fades into the photograph at its border."""


@dataclass(frozen=True)
class Frame:
    """A window of the photograph, in its pixels; ``native`` is the (height, width) the net's square stands for, of
    which a photograph smaller than that shows the upper left part."""

    top: int
    left: int
    height: int
    width: int
    native: tuple[int, int]

    @property
    def place(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def shows(self, box_xywh: list[int]) -> bool:
        """Whether the box lies inside, clear of the blended border."""
        x, y, width, height = box_xywh
        return (
            self.left + BLEND_PX <= x
            and x + width <= self.left + self.width - BLEND_PX
            and self.top + BLEND_PX <= y
            and y + height <= self.top + self.height - BLEND_PX
        )


def frame_around(box_xywh: list[int], framing: Framing, shape: tuple[int, ...]) -> Frame:
    """Training's window, or the next multiple of it that shows all of a larger defect; all where training saw all."""
    if framing.whole:
        return Frame(0, 0, shape[0], shape[1], (shape[0], shape[1]))
    width, height = box_xywh[2:]
    scale = max(framing.scale_for(box_xywh), math.ceil((max(width, height) + 4 * BLEND_PX) / framing.size))
    native = scale * framing.size
    top, left = corner(box_xywh, native, shape)
    return Frame(top, left, min(native, shape[0]), min(native, shape[1]), (native, native))


class Source:
    """A trained generator that gives pictures of frames; gray ones are the mean of a net's channels."""

    def __init__(self, net: nn.Module, channels: int, framing: Framing, gray: bool, device: torch.device) -> None:
        self.net, self.channels, self.framing, self.gray, self.device = net, channels, framing, gray, device

    @torch.no_grad()
    def picture(
        self, frame: Frame, category: int, mask_01: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 pixels of the frame and, where the generator makes one, the mask_01 of its defect.

        ``category`` counts from 0; ``mask_01`` is the photograph's.
        """
        z = torch.from_numpy(rng.standard_normal((1, LATENT)).astype(np.float32)).to(self.device)
        given = None
        if mask_01 is not None:
            given = torch.from_numpy(self._squared(mask_01[frame.place], frame).astype(np.float32))[None, None]
            given = given.to(self.device)
        made = self.net(z, torch.tensor([category], device=self.device), given).cpu()
        image, mask = split_picture(made, self.channels)
        shown = image[0].mean(0) if self.gray else image[0].permute(1, 2, 0)
        pixels = ((shown.numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        return self._fitted(pixels, frame), None if mask is None else self._fitted(mask[0, 0].numpy(), frame) > 0

    def _squared(self, mask_01: np.ndarray, frame: Frame) -> np.ndarray:
        full = np.zeros(frame.native, np.uint8)
        full[: frame.height, : frame.width] = mask_01
        side = self.framing.size
        return full if frame.native == (side, side) else shrink_mask(full, side)

    def _fitted(self, picture: np.ndarray, frame: Frame) -> np.ndarray:
        """The net's picture in the frame's pixels."""
        if picture.shape[:2] != frame.native:
            picture = cv2.resize(picture, frame.native[::-1], interpolation=cv2.INTER_LINEAR)
        return picture[: frame.height, : frame.width]


def set_in(pixels: np.ndarray, picture: np.ndarray, frame: Frame) -> np.ndarray:
    """``pixels`` with the picture in the frame, blended over ``BLEND_PX`` pixels where the frame is not the border."""
    height, width = pixels.shape[:2]
    alpha = np.minimum.outer(
        _ramp(frame.height, frame.top > 0, frame.top + frame.height < height),
        _ramp(frame.width, frame.left > 0, frame.left + frame.width < width),
    )
    alpha = over_channels(alpha, pixels)
    mixed = pixels[frame.place] * (1 - alpha) + picture * alpha
    result = pixels.copy()
    result[frame.place] = mixed.round().astype(np.uint8)
    return result


def _ramp(length: int, before: bool, after: bool) -> np.ndarray:
    steps = np.arange(1, BLEND_PX + 1) / (BLEND_PX + 1)
    ramp = np.ones(length)
    if before:
        ramp[:BLEND_PX] = steps
    if after:
        ramp[-BLEND_PX:] = steps[::-1]
    return ramp


Painted = tuple[np.ndarray, list[tuple[int, np.ndarray]], list[Frame]]
"""Pixels, instances (category id, mask_01, maybe empty), and the frames that were set in."""
Paint = Callable[[Source, np.ndarray, list[Annotation], list[int], np.random.Generator], Painted]


def paint_masks(
    source: Source, pixels: np.ndarray, annotations: list[Annotation], ids: list[int], rng: np.random.Generator
) -> Painted:
    """CGAN: each window shows every mask of the item that reaches into it; the label is the pool's."""
    everything = union([annotation.mask() for annotation in annotations], *pixels.shape[:2])
    frames: list[Frame] = []
    for annotation in annotations:
        frame = frame_around(annotation.bbox, source.framing, pixels.shape)
        if frame in frames or any(earlier.shows(annotation.bbox) for earlier in frames):
            continue  # painted with its neighbour
        picture, _ = source.picture(frame, ids.index(annotation.category_id), everything, rng)
        pixels = set_in(pixels, picture, frame)
        frames.append(frame)
    return pixels, [(annotation.category_id, annotation.mask()) for annotation in annotations], frames


def paint_freely(
    source: Source, pixels: np.ndarray, annotations: list[Annotation], ids: list[int], rng: np.random.Generator
) -> Painted:
    """LSGAN: the pool gives the places alone; each window's label is what the generator made beside it.

    A window set over an earlier one takes that part of its label away. An empty label stays empty.
    """
    instances: list[tuple[int, np.ndarray]] = []
    frames: list[Frame] = []
    for annotation in annotations:
        if frames and source.framing.whole:
            break  # a photograph made as a whole is made once
        frame = frame_around(annotation.bbox, source.framing, pixels.shape)
        picture, made = source.picture(frame, ids.index(annotation.category_id), None, rng)
        assert made is not None
        pixels = set_in(pixels, picture, frame)
        for _, earlier in instances:
            earlier[frame.place] = 0
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[frame.place] = made
        instances.append((annotation.category_id, mask))
        frames.append(frame)
    return pixels, instances, frames


def support_px(instances: list[tuple[int, np.ndarray]], frames: list[Frame], shape: tuple[int, ...]) -> int:
    """How far from the labels pixels may have changed: the farthest corner of any window, in x or y."""
    masks = union([mask for _, mask in instances], *shape[:2])
    if not masks.any():
        return max(shape[:2])
    return reach(masks, [frame.place for frame in frames])


def open_cgan(inputs: MethodInputs) -> Generate:
    """Windows made at the pool's masks. Raises as ``_open``."""
    return _open(inputs, "cgan", paint_masks, masked=True)


def open_lsgan(inputs: MethodInputs) -> Generate:
    """Windows made with masks of their own, at the pool's places. Raises as ``_open``."""
    return _open(inputs, "lsgan", paint_freely, masked=False)


def _open(inputs: MethodInputs, name: str, paint: Paint, masked: bool) -> Generate:
    """Load the trained generator of ``inputs.trained``; each item's chance comes from its own name and attempt.

    Raises:
        InputError: the training has other categories than the data set (H10).
    """
    assert inputs.trained is not None
    names = {category.id: category.name for category in inputs.train.categories}
    model = read_model(inputs.trained, list(names.values()))
    config, gray = model.config, inputs.train.gray
    net = build_noise_generator(config, model.channels, len(names), masked)
    device = load_net(net, inputs.trained, inputs.device)
    source = Source(net, model.channels, build_framing(config), gray, device)
    normals = {image.file_name: image for image in inputs.train.images}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [one(item, rng_for(inputs.seed, name, item.image.file_name, attempt)) for item in items]

    def one(item: PoolItem, rng: np.random.Generator) -> Sample:
        base = read_record(inputs.train, normals[item.image.extra["normal_file"]], gray)
        pixels, instances, frames = paint(source, base, item.annotations, list(names), rng)
        provenance: dict[str, object] = {
            "method": name,
            "label": "pool" if masked else "generated",
            "support_px": support_px(instances, frames, base.shape),
            "windows_xywh": [[frame.left, frame.top, frame.width, frame.height] for frame in frames],
        }
        return Sample(pixels, instances, provenance, base)

    return generate
