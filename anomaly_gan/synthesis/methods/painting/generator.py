"""A trained generator as a brush: one window of a photograph at a time, at the photograph's own resolution."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ....core.channels import channels_first, over_channels
from ....core.dataset import Annotation
from ....core.errors import InputError
from ....core.images import looks_gray, to_mode
from ....core.manifest import check_product
from ....core.masks import union
from ....losses.severity import at_severity, reachable
from ....nets.composite import feather
from ....part.foreground import find_foreground
from ...pairs.exemplar import FILE as EXEMPLARS_FILE
from ...pairs.exemplar import Exemplar, load_exemplars, overstretched, pair_fitting, warp_both
from ...pairs.windows import shrink_mask, to_signed
from ..config import TrainConfig
from ..trained import FILE, Trained, read_trained
from .networks import SOFTNESS_PX, build_framing, build_generator, build_painter, painter_settings

CANDIDATES = 16
"""Training defects drawn for a mask, of which the two that fit it best are its exemplars; where these would be
stretched too far, all are looked at."""


@dataclass(frozen=True)
class Painting:
    """A painted photograph, the severity asked for at each painting, and how far from the masks (pixels, in x or y)
    it may differ from the photograph beneath; None: everywhere."""

    pixels: np.ndarray
    severities: list[list[float]]
    support_px: int | None


class Brush:
    """A trained generator and what it needs to paint one instance at a time."""

    def __init__(
        self,
        net: nn.Module,
        config: TrainConfig,
        categories: list[str],
        severities: dict[str, list[list[float]]],
        device: torch.device,
        exemplars: dict[str, list[Exemplar]] | None = None,
    ) -> None:
        self.net, self.config, self.categories, self.severities = net, config, categories, severities
        self.device, self.exemplars = device, exemplars
        self.framing, self.settings = build_framing(config), painter_settings(config)
        # The net's whole answer is wanted here: it is pasted at native resolution, under a native feather.
        self.painter = replace(build_painter(config, len(categories)), support_px=None)

    def paint_masks(
        self, base: np.ndarray, annotations: list[Annotation], names: dict[int, str], rng: np.random.Generator
    ) -> Painting:
        """One mask after the other, each pasted under its own feather."""
        pixels, severities = base, []
        for annotation in annotations:
            pixels, asked = self.paint_one(pixels, annotation, names[annotation.category_id], rng)
            severities.append(asked)
        return Painting(pixels, severities, self.settings.support_px)

    def paint_one(
        self, pixels: np.ndarray, annotation: Annotation, category: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, list[float]]:
        """``pixels`` with one mask of the pool painted, and the severity that was asked for."""
        return self.paint(pixels, annotation.mask(), annotation.bbox, category, rng)

    def paint_windows(
        self, base: np.ndarray, annotations: list[Annotation], names: dict[int, str], rng: np.random.Generator
    ) -> Painting:
        """Whole windows, each showing all masks of one category that reach into it; none is painted twice."""
        pixels, severities = base, []
        painted: dict[int, list[tuple[int, int, int]]] = {}
        for annotation in annotations:
            category = annotation.category_id
            if any(_inside(annotation.bbox, place) for place in painted.get(category, [])):
                continue  # painted with its neighbour
            mask = union([other.mask() for other in annotations if other.category_id == category], *base.shape[:2])
            pixels, asked = self.paint(pixels, mask, annotation.bbox, names[category], rng)
            severities.append(asked)
            painted.setdefault(category, []).append(self._window(annotation.bbox, base.shape[:2])[:3])
        masks = union([annotation.mask() for annotation in annotations], *base.shape[:2])
        places = [
            (slice(top, top + side), slice(left, left + side))
            for found in painted.values()
            for top, left, side in found
        ]
        return Painting(pixels, severities, reach(masks, places))

    @torch.no_grad()
    def paint(
        self,
        pixels: np.ndarray,
        mask: np.ndarray,
        box_xywh: list[int],
        category: str,
        rng: np.random.Generator,
        severity: Sequence[float] | None = None,
    ) -> tuple[np.ndarray, list[float]]:
        """``pixels`` with the window around the box painted at the mask, and the severity that was asked for:
        ``severity`` (see ``losses.severity``), or about that of a training defect drawn by ``rng``.

        Args:
            pixels: the photograph, uint8 (H, W) or (H, W, 3).
            mask: uint8 (H, W) of 0 and 1.
            box_xywh: box of the mask in pixels.
            category: name of the category.
            rng: source of chance.
            severity: the log ratio of brightness by channel; None: about that of a training defect drawn by
                ``rng``.

        Returns:
            The painted photograph, and the severity asked for.
        """
        top, left, native, scale = self._window(box_xywh, pixels.shape[:2])
        window, piece = _take(pixels, mask, top, left, native)
        side = native // scale
        small = window if scale == 1 else cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
        small_mask = piece if scale == 1 else shrink_mask(piece, side)
        drawn, exemplars = self._draw(category, small, small_mask, rng)
        wanted = drawn * rng.uniform(0.9, 1.1, 2)
        wanted = wanted if severity is None else np.array(severity, float)
        warped = None
        if exemplars:
            part = None if exemplars[0].part_01 is None else _part_in(pixels, top, left, native, side)
            warped = self._warp(exemplars, small, small_mask, severity, part)
        painted, asked = self._net_output(small, small_mask, category, wanted, rng, warped)
        difference = painted - to_signed(small)
        if scale > 1:
            difference = cv2.resize(difference.transpose(1, 2, 0), (native, native), interpolation=cv2.INTER_CUBIC)
            difference = channels_first(difference)
        return _paste(pixels, window, difference, self._alpha(piece), top, left), asked

    def _window(self, box_xywh: list[int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Top, left, native side and scale of the square the net sees: training's framing, larger for defects
        that do not fit one window."""
        scale = self.framing.scale_for(box_xywh)
        width, height = box_xywh[2:]
        unit = scale * 2**self.config.nets.depth
        native = max(self.framing.size * scale, -(-(max(width, height) + 16 * scale) // unit) * unit)
        return *corner(box_xywh, native, shape), native, scale

    def _draw(
        self, category: str, pixels: np.ndarray, mask_01: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[Exemplar, Exemplar] | None]:
        """The severity of a training defect; where the generator paints from exemplars, the mean severity of two and
        their windows: of ``CANDIDATES`` drawn ones, or of all, those that fit the mask best."""
        bank = self.severities[category]
        if self.exemplars is None:
            return np.array(bank[int(rng.integers(len(bank)))]), None
        exemplars = self.exemplars[category]
        rows = rng.integers(len(bank), size=CANDIDATES).tolist()
        if overstretched(mask_01, [exemplars[row] for row in rows]):
            rows = list(range(len(bank)))
        fitting = pair_fitting(mask_01, [exemplars[row] for row in rows], pixels)
        first, second = rng.permutation([rows[place] for place in fitting]).tolist()
        return np.mean([bank[first], bank[second]], axis=0), (exemplars[first], exemplars[second])

    def _warp(
        self,
        exemplars: tuple[Exemplar, Exemplar],
        pixels: np.ndarray,
        mask: np.ndarray,
        severity: Sequence[float] | None,
        part_01: np.ndarray | None = None,
    ) -> torch.Tensor:
        """(1, C, H, W): the photograph with the exemplars under the mask, as strong as they are or as is asked for.

        The generator has never seen one of another strength than it was to paint, and leaves that as it is.
        """
        warped = torch.from_numpy(to_signed(warp_both(exemplars, pixels, mask, part_01)))[None].to(self.device)
        if severity is None:
            return warped
        masks = torch.from_numpy(mask[None, None].astype(np.float32)).to(self.device)
        target = torch.tensor([severity], dtype=torch.float32, device=self.device)
        return at_severity(warped, masks, reachable(target, warped, masks))

    def _net_output(
        self,
        pixels: np.ndarray,
        mask: np.ndarray,
        category: str,
        wanted: np.ndarray,
        rng: np.random.Generator,
        warped: torch.Tensor | None = None,
    ) -> tuple[np.ndarray, list[float]]:
        images = torch.from_numpy(to_signed(pixels))[None].to(self.device)
        masks = torch.from_numpy(mask[None, None].astype(np.float32)).to(self.device)
        index = torch.tensor([self.categories.index(category)], device=self.device)
        maps = [self.painter.mask_maps(masks, index)]
        target = reachable(torch.tensor(wanted[None], dtype=torch.float32, device=self.device), images, masks)
        if self.painter.controls:
            grain = rng.standard_normal((1, *mask.shape))
            style = np.broadcast_to(rng.standard_normal(), (1, *mask.shape))
            noise = torch.from_numpy(np.concatenate([grain, style]).astype(np.float32))[None].to(self.device)
            maps.append(self.painter.control_maps(masks, target, noise))
        with _own_chance(rng) if self.settings.dropout else nullcontext():
            output = self.painter.paint(self.net, images, masks, torch.cat(maps, dim=1), warped)
        return output[0].cpu().numpy(), [round(float(value), 4) for value in target[0]]

    def _alpha(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) in [0, 1]: where the painting shows; 0 outside the support, 1 everywhere without a composite."""
        if not self.settings.composite:
            return np.ones(mask.shape, np.float32)
        masks = torch.from_numpy(mask[None, None].astype(np.float32))
        return feather(masks, self.settings.support_px, SOFTNESS_PX)[0, 0].numpy()

    @torch.no_grad()
    def paint_whole(
        self, pixels: np.ndarray, annotations: list[Annotation], category: str, rng: np.random.Generator
    ) -> Painting:
        """The paper's way: the photograph squeezed to a square, all defects at once, and stretched back."""
        bank = self.severities[category]
        wanted = np.array(bank[int(rng.integers(len(bank)))])
        side = self.config.size
        small: np.ndarray = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        mask = np.maximum.reduce([annotation.mask() for annotation in annotations])
        small_mask = shrink_mask(mask, side)
        shown = to_mode(small, "RGB") if self.config.channels == 3 else small
        painted, asked = self._net_output(shown, small_mask, category, wanted, rng)
        if pixels.ndim == 2 and len(painted) == 3:
            painted = painted.mean(0, keepdims=True)
        back: np.ndarray = ((painted.transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        back = cv2.resize(back, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        if self.settings.composite:
            alpha = self._alpha(mask) > 0
            back = np.where(over_channels(alpha, back), back, pixels)
        return Painting(back, [asked], self.settings.support_px if self.settings.composite else None)


def read_model(trained: Path, categories: list[str]) -> Trained:
    """What a training says of its generator.

    Raises:
        InputError: the training has other categories than the data set (H10).
    """
    model = read_trained(trained)
    if model.categories != categories:
        raise InputError(
            str(trained / FILE),
            "H10",
            f"trained for {model.categories}, the data set has {categories}",
            "train again",
        )
    return model


def load_net(net: nn.Module, trained: Path, wanted_device: str) -> torch.device:
    """Give the net the training's generator's weights, for use; returns the device it was put on."""
    device = torch.device("cuda" if wanted_device != "cpu" and torch.cuda.is_available() else "cpu")
    check_product(trained / "generator.safetensors")
    net.load_state_dict(load_file(trained / "generator.safetensors"))
    net.to(device).eval()
    return device


def load_brush(trained: Path, categories: list[str], wanted_device: str) -> tuple[Brush, int]:
    """The brush that a training left, and the channels it paints. Raises as ``read_model``."""
    model = read_model(trained, categories)
    config = model.config
    net = build_generator(config, model.channels, len(categories))
    device = load_net(net, trained, wanted_device)
    exemplars = load_exemplars(trained / EXEMPLARS_FILE, categories) if config.recipe.exemplars else None
    return Brush(net, config, model.categories, model.severity, device, exemplars), model.channels


@contextmanager
def _own_chance(rng: np.random.Generator) -> Iterator[None]:
    """Torch's stream, from which dropout draws, set by ``rng`` and afterwards as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**32)))
        yield


def _inside(box_xywh: list[int], place: tuple[int, int, int]) -> bool:
    """Whether the box lies in the window (top, left, side)."""
    (x, y, width, height), (top, left, side) = box_xywh, place
    return top <= y and left <= x and y + height <= top + side and x + width <= left + side


def corner(box_xywh: list[int], native: int, shape: tuple[int, ...]) -> tuple[int, int]:
    """Top and left of the window of ``native`` pixels around the box, moved inside the photograph where it can be."""
    x, y, width, height = box_xywh
    top = int(np.clip(y + height // 2 - native // 2, 0, max(0, shape[0] - native)))
    left = int(np.clip(x + width // 2 - native // 2, 0, max(0, shape[1] - native)))
    return top, left


def reach(masks_01: np.ndarray, places: list[tuple[slice, slice]]) -> int:
    """How far from the masks the windows (rows, columns) reach: their farthest pixel's distance, in x or y."""
    far = cv2.distanceTransform(1 - masks_01, cv2.DIST_C, 3)
    return math.ceil(max(far[place].max() for place in places))


def _take(pixels: np.ndarray, mask: np.ndarray, top: int, left: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The square window, mirrored at the photograph's border where it reaches beyond."""
    window, piece = pixels[top : top + side, left : left + side], mask[top : top + side, left : left + side]
    down, right = side - window.shape[0], side - window.shape[1]
    if down or right:
        mode = cv2.BORDER_REFLECT_101 if down < window.shape[0] and right < window.shape[1] else cv2.BORDER_REPLICATE
        window = cv2.copyMakeBorder(window, 0, down, 0, right, mode)
        piece = cv2.copyMakeBorder(piece, 0, down, 0, right, cv2.BORDER_CONSTANT, value=0)
    return window, piece


def _part_in(pixels: np.ndarray, top: int, left: int, native: int, side: int) -> np.ndarray | None:
    """mask_01 (side, side): the part in a window of ``native`` pixels; None where the photograph shows none."""
    found = find_foreground(pixels)
    if found is None:
        return None
    part = found.window(slice(top, top + native), slice(left, left + native)).astype(np.uint8)
    return part if side == native else shrink_mask(part, side)


def _paste(
    pixels: np.ndarray, window: np.ndarray, difference_CHW: np.ndarray, alpha: np.ndarray, top: int, left: int
) -> np.ndarray:
    """``pixels`` with alpha times the difference added; where alpha is 0 every pixel stays the same byte. A gray
    photograph stored in three channels gets no colour."""
    if window.ndim == 3 and looks_gray(window):
        difference_CHW = np.broadcast_to(difference_CHW.mean(axis=0, keepdims=True), difference_CHW.shape)
    change = difference_CHW[0] * alpha if window.ndim == 2 else (difference_CHW * alpha).transpose(1, 2, 0)
    mixed = (window.astype(np.float32) + change * 127.5).round().clip(0, 255).astype(np.uint8)
    result = pixels.copy()
    height, width = min(mixed.shape[0], pixels.shape[0] - top), min(mixed.shape[1], pixels.shape[1] - left)
    result[top : top + height, left : left + width] = mixed[:height, :width]
    return result
