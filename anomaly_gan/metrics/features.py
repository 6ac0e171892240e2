"""Images to feature vectors: one image at a time, so that a vector depends on its image alone.

A figure is named after what made its features: ``FID`` means Inception as clean-fid has it, nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from cleanfid.resize import make_resizer
from PIL import Image

Network = Callable[[torch.Tensor], tuple[torch.Tensor, Sequence[torch.Tensor]]]
"""images_BCHW, RGB in [0, 255], float32 -> (pooled features (B, D), feature maps of rising stride)."""


@dataclass(frozen=True)
class Backbone:
    """A frozen network in evaluation mode.

    ``label`` goes into the names of its figures; ``size`` is the side in pixels its images are resized to.
    """

    label: str
    size: int
    network: Network
    device: str = "cpu"


def square_input(pixels: np.ndarray, size: int) -> torch.Tensor:
    """(H, W) or (H, W, 3) uint8 -> (1, 3, size, size) float32 in [0, 255], by clean-fid's antialiased bicubic.

    Gray is tiled to three channels, so gray and colour files of the same picture give the same features.
    """
    if pixels.ndim == 2:  # one channel resized is all three
        plane = Image.fromarray(pixels.astype(np.float32)).resize((size, size), resample=Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(plane).clip(0, 255)).expand(1, 3, size, size)
    resized = make_resizer("PIL", False, "bicubic", (size, size))(pixels)
    return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))[None]


@torch.inference_mode()
def pooled_features(images: Iterable[np.ndarray], backbone: Backbone) -> np.ndarray:
    """Features (N, D) float64 of uint8 images, row i from image i alone (batches would change the last bits)."""
    rows = [backbone.network(square_input(image, backbone.size).to(backbone.device))[0] for image in images]
    return torch.cat(rows).double().cpu().numpy() if rows else np.zeros((0, 0))
