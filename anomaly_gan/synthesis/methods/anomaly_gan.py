"""Painting pool masks into normal photographs with a trained Anomaly-GAN."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ...core.errors import InputError
from ...core.images import read_pixels
from ...core.records import Annotation
from ...core.seeding import rng_for
from ...losses.severity import reachable
from ...nets.composite import feather
from ..build import build_framing, build_generator, build_painter
from ..config import TrainConfig
from ..registry import Generate, MethodInputs, PoolItem, Sample
from ..windows import shrink_mask, to_signed


class Brush:
    """A trained generator and what it needs to paint one instance at a time."""

    def __init__(self, net: nn.Module, config: TrainConfig, categories: list[str],
                 severities: dict[str, list[list[float]]], device: torch.device) -> None:
        self.net, self.config, self.categories, self.severities = net, config, categories, severities
        self.device = device
        self.framing = build_framing(config)
        # The net's whole answer is wanted here: it is pasted at native resolution, under a native feather.
        self.painter = replace(build_painter(config, len(categories)), support_px=None)

    @torch.no_grad()
    def paint(self, pixels: np.ndarray, annotation: Annotation, category: str,
              rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
        """``pixels`` with one defect painted at the annotation's mask, and the severity that was asked for."""
        bank = self.severities[category]
        wanted = np.array(bank[int(rng.integers(len(bank)))]) * rng.uniform(0.9, 1.1, 2)
        mask = annotation.mask()
        top, left, native, scale = self._window(annotation.bbox, pixels.shape[:2])
        window, piece = _take(pixels, mask, top, left, native)
        side = native // scale
        small = window if scale == 1 else cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
        small_mask = piece if scale == 1 else shrink_mask(piece, side)
        painted, asked = self._net_output(small, small_mask, category, wanted, rng)
        difference = painted - to_signed(small)
        if scale > 1:
            difference = cv2.resize(difference.transpose(1, 2, 0), (native, native), interpolation=cv2.INTER_CUBIC)
            difference = difference[None] if difference.ndim == 2 else difference.transpose(2, 0, 1)
        return _paste(pixels, window, difference, self._alpha(piece), top, left), asked

    def _window(self, box_xywh: list[int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Top, left, native side and scale of the square the net sees: training's framing, larger for defects
        that do not fit one window."""
        scale = self.framing.scale_for(box_xywh)
        x, y, width, height = box_xywh
        unit = scale * 2**self.config.depth
        native = max(self.framing.size * scale, -(-(max(width, height) + 16 * scale) // unit) * unit)
        top = int(np.clip(y + height // 2 - native // 2, 0, max(0, shape[0] - native)))
        left = int(np.clip(x + width // 2 - native // 2, 0, max(0, shape[1] - native)))
        return top, left, native, scale

    def _net_output(self, pixels: np.ndarray, mask: np.ndarray, category: str, wanted: np.ndarray,
                    rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
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
        output = self.painter.paint(self.net, images, masks, torch.cat(maps, dim=1))
        return output[0].cpu().numpy(), [round(float(value), 4) for value in target[0]]

    def _alpha(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) in [0, 1]: where the painting shows; 0 outside the support, 1 everywhere without a composite."""
        if not self.config.composite:
            return np.ones(mask.shape, np.float32)
        masks = torch.from_numpy(mask[None, None].astype(np.float32))
        return feather(masks, self.config.support_px, self.config.softness_px)[0, 0].numpy()

    @torch.no_grad()
    def paint_whole(self, pixels: np.ndarray, annotations: list[Annotation], category: str,
                    rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
        """The paper's way: the photograph squeezed to a square, all defects at once, and stretched back."""
        bank = self.severities[category]
        wanted = np.array(bank[int(rng.integers(len(bank)))])
        side = self.config.size
        small: np.ndarray = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        mask = np.maximum.reduce([annotation.mask() for annotation in annotations])
        small_mask = shrink_mask(mask, side)
        shown = small if pixels.ndim == 3 or self.config.channels != 3 else np.repeat(small[:, :, None], 3, axis=2)
        painted, asked = self._net_output(shown, small_mask, category, wanted, rng)
        if pixels.ndim == 2 and len(painted) == 3:
            painted = painted.mean(0, keepdims=True)
        back: np.ndarray = ((painted.transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        back = cv2.resize(back, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        if self.config.composite:
            alpha = self._alpha(mask) > 0
            back = np.where(alpha if back.ndim == 2 else alpha[:, :, None], back, pixels)
        return back, asked


def open_method(inputs: MethodInputs) -> Generate:
    """Load the trained generator of ``inputs.trained``; each item's chance comes from its own name and attempt.

    Raises:
        InputError: the training has other categories than the data set (H10).
    """
    assert inputs.trained is not None
    model = json.loads((inputs.trained / "model.json").read_text(encoding="utf-8"))
    names = {category.id: category.name for category in inputs.train.categories}
    if model["categories"] != list(names.values()):
        raise InputError(str(inputs.trained / "model.json"), "H10",
                         f"trained for {model['categories']}, the data set has {list(names.values())}", "train again")
    config = TrainConfig(**model["config"])
    device = torch.device("cuda" if inputs.device != "cpu" and torch.cuda.is_available() else "cpu")
    net = build_generator(config, model["channels"], len(names))
    net.load_state_dict(load_file(inputs.trained / "generator.safetensors"))
    net.to(device).eval()
    brush = Brush(net, config, model["categories"], model["severity"], device)
    gray, gray_set = model["channels"] == 1, inputs.train.info.get("mode", "L") == "L"
    normals = {image.file_name: image for image in inputs.train.images}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [one(item, attempt) for item in items]

    def one(item: PoolItem, attempt: int) -> Sample:
        rng = rng_for(inputs.seed, "anomaly_gan", item.image.file_name, attempt)
        normal = normals[item.image.extra["normal_file"]]
        base = read_pixels(inputs.train.path_of(normal), gray)
        pixels, severities = base, []
        if brush.framing.whole:
            pixels, asked = brush.paint_whole(base, item.annotations, item.image.extra["category"], rng)
            severities.append(asked)
        else:
            for annotation in item.annotations:
                pixels, asked = brush.paint(pixels, annotation, names[annotation.category_id], rng)
                severities.append(asked)
        provenance: dict[str, Any] = {"method": "anomaly_gan", "preset": config.preset, "severity": severities}
        if config.composite:
            provenance["support_px"] = config.support_px
        instances = [(annotation.category_id, annotation.mask()) for annotation in item.annotations]
        if gray_set and not gray:  # the paper's three channels of a gray photograph: their mean (SPEC 31)
            pixels, base = (np.rint(picture.mean(axis=2)).astype(np.uint8) if picture.ndim == 3 else picture
                            for picture in (pixels, base))
        return Sample(pixels, instances, provenance, base if config.composite else None)

    return generate


def _take(pixels: np.ndarray, mask: np.ndarray, top: int, left: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The square window, mirrored at the photograph's border where it reaches beyond."""
    window, piece = pixels[top:top + side, left:left + side], mask[top:top + side, left:left + side]
    down, right = side - window.shape[0], side - window.shape[1]
    if down or right:
        mode = cv2.BORDER_REFLECT_101 if down < window.shape[0] and right < window.shape[1] else cv2.BORDER_REPLICATE
        window = cv2.copyMakeBorder(window, 0, down, 0, right, mode)
        piece = cv2.copyMakeBorder(piece, 0, down, 0, right, cv2.BORDER_CONSTANT, value=0)
    return window, piece


def _paste(pixels: np.ndarray, window: np.ndarray, difference_CHW: np.ndarray, alpha: np.ndarray, top: int,
           left: int) -> np.ndarray:
    """``pixels`` with alpha times the difference added; where alpha is 0 every pixel stays the same byte."""
    change = difference_CHW[0] * alpha if window.ndim == 2 else (difference_CHW * alpha).transpose(1, 2, 0)
    mixed = (window.astype(np.float32) + change * 127.5).round().clip(0, 255).astype(np.uint8)
    result = pixels.copy()
    height, width = min(mixed.shape[0], pixels.shape[0] - top), min(mixed.shape[1], pixels.shape[1] - left)
    result[top:top + height, left:left + width] = mixed[:height, :width]
    return result
