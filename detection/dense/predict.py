"""The dense detector on one photograph of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..tiles import blended
from .instances import Found, image_score, instances
from .net import DEEPEST, DenseNet


@dataclass(frozen=True)
class Seen:
    """``maps_KHW`` float32 in [0, 1] at the photograph's size, and the coarse head at the same size."""

    maps_KHW: np.ndarray
    coarse_KHW: np.ndarray

    def found(self, net: DenseNet) -> list[Found]:
        return instances(self.maps_KHW, self.coarse_KHW, net.config)

    def score(self) -> float:
        return image_score(self.maps_KHW, self.coarse_KHW)


@torch.no_grad()
def look(net: DenseNet, pixels: np.ndarray, device: torch.device, prior: np.ndarray | None = None) -> Seen:
    """Maps of a photograph, uint8 (H, W) or (H, W, 3), window by window where it is larger than ``tile``.

    ``prior`` is its one-class map, uint8 (H, W), where the net has that input.
    """
    config = net.config
    planes = pixels[None].repeat(3, 0) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if config.prior:
        extra = np.zeros(pixels.shape[:2], np.uint8) if prior is None else prior
        planes = np.concatenate([planes, extra[None]])
    stacked = planes.transpose(1, 2, 0)

    def work(part: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))[None].to(device).float() / 255
        maps = _maps(net, images)
        if config.mirrored:
            maps = (maps + _maps(net, images.flip(-1)).flip(-1)) / 2
        return maps[0].float().cpu().numpy()

    both = blended(stacked, 2 * net.categories, config.tile, config.overlap, work)
    return Seen(both[: net.categories], both[net.categories :])


def _maps(net: DenseNet, images_BCHW: Tensor) -> Tensor:
    """(B, 2K, H, W): maps and coarse head in [0, 1] of images of any size, mirrored out to a multiple of 32."""
    height, width = images_BCHW.shape[-2:]
    padded = _pad(images_BCHW, -height % DEEPEST, -width % DEEPEST)
    logits = net(padded)
    size = (int(padded.shape[-2]), int(padded.shape[-1]))
    coarse = torch.nn.functional.interpolate(logits.coarse_BKhw, size=size, mode="bilinear", align_corners=False)
    return torch.sigmoid(torch.cat([logits.maps_BKHW, coarse], 1))[..., :height, :width]


def _pad(images_BCHW: Tensor, below: int, right: int) -> Tensor:
    """Mirrored at the lower and right edge; repeated where a photograph is too small to be mirrored so far."""
    height, width = images_BCHW.shape[-2:]
    mode = "reflect" if below < height and right < width else "replicate"
    return torch.nn.functional.pad(images_BCHW, (0, right, 0, below), mode=mode)
