"""The dense detector on one photograph of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anomaly_gan.core.channels import three_channels_first

from ..tiles import blended
from .config import DenseConfig
from .instances import Inspected, image_score, instances

DEEPEST = 32
"""Stride of the net's deepest features: sides must be multiples of it."""
MIRRORED: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Axes turned over: none, left to right, top to bottom, both."""
FAINT = 1e-6
"""Below this a map says no less."""
Shares = Callable[[Tensor], Tensor]
"""Images (1, C, H, W) to their maps in [0, 1], (1, K, H, W)."""


@dataclass(frozen=True)
class Seen:
    """``maps_KHW`` float32 in [0, 1] at the photograph's size."""

    maps_KHW: np.ndarray

    def read(self, config: DenseConfig) -> Inspected:
        """Instances and score."""
        found = instances(self.maps_KHW, config)
        return Inspected(found, image_score(self.maps_KHW), self.maps_KHW)


@torch.no_grad()
def look(
    shares: Shares,
    config: DenseConfig,
    categories: int,
    pixels: np.ndarray,
    device: torch.device,
    prior: np.ndarray | None = None,
) -> Seen:
    """Maps of a photograph, uint8 (H, W) or (H, W, 3), window by window where it is larger than ``tile``.

    Args:
        shares: the net, or several whose maps are averaged.
        config: the section of the configuration.
        categories: number of categories.
        pixels: the photograph, uint8 (H, W) or (H, W, 3).
        device: where to compute.
        prior: the photograph's one-class map, uint8 (H, W), where the net has that input.

    Returns:
        Maps in [0, 1] by category, of the photograph's size.
    """
    planes = three_channels_first(pixels)
    if config.prior:
        extra = np.zeros(pixels.shape[:2], np.uint8) if prior is None else prior
        planes = np.concatenate([planes, extra[None]])

    def work(part_HWC: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(np.ascontiguousarray(part_HWC.transpose(2, 0, 1)))[None].to(device).float() / 255
        if not config.mirrored:
            return _padded(shares, images)[0].float().cpu().numpy()
        views = [_padded(shares, images.flip(axes)).flip(axes) for axes in MIRRORED]
        return torch.stack(views).float().add(FAINT).log().mean(0)[0].exp().cpu().numpy()

    return Seen(blended(planes.transpose(1, 2, 0), categories, config.tile, config.overlap, work))


def _padded(shares: Shares, images_BCHW: Tensor) -> Tensor:
    """The same of images of any size: mirrored at the lower and right edge up to a multiple of 32, or repeated where
    one is too small to be mirrored so far.
    """
    height, width = images_BCHW.shape[-2:]
    below, right = -height % DEEPEST, -width % DEEPEST
    mode = "reflect" if below < height and right < width else "replicate"
    padded = torch.nn.functional.pad(images_BCHW, (0, right, 0, below), mode=mode)
    return shares(padded)[..., :height, :width]
