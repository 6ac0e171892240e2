"""Global contrast normalisation: the input of Deep SVDD and of those that came after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..interface import Normals

LEAST_CONTRAST = 1e-3
"""Of 255: keeps an image of one single grey finite."""


def contrast_normalised(images_BCHW: Tensor) -> Tensor:
    """uint8 -> float32: (x - mean) / mean |x - mean| of every image over all its channels."""
    x = images_BCHW.to(memory_format=torch.channels_last).float()
    x = x - x.mean(dim=(1, 2, 3), keepdim=True)
    return x / x.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(LEAST_CONTRAST)


class ContrastNormalisation(nn.Module):
    """uint8 (B, C, H, W) -> float32, [0, 1] for all training normals; other images may go beyond.

    ``extremes``: the values that become 0 and 1; ``learn`` takes those of the normals where None is given.
    """

    low: Tensor
    high: Tensor

    def __init__(self, extremes: tuple[float, float] | None = None) -> None:
        super().__init__()
        self._given = extremes is not None
        low, high = extremes or (0.0, 1.0)
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))

    @torch.no_grad()
    def learn(self, normals: Normals) -> None:
        if self._given:
            return
        ranges = [torch.stack(contrast_normalised(chunk).aminmax()) for chunk in normals.chunks()]
        both = torch.stack(ranges)
        self.low.copy_(both[:, 0].min())
        self.high.copy_(torch.maximum(both[:, 1].max(), self.low + 1e-6))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (contrast_normalised(images_BCHW) - self.low) / (self.high - self.low)
