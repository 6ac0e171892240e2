"""The PatchGAN discriminator of pix2pix (Isola et al. 2017, section 3.2.2) and CycleGAN."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "instance", "spectral", "none"]


def layers_for(size: int) -> int:
    """Stride-2 layers for windows of ``size`` pixels: 3 (patches of 70 pixels) from 128 on, as published for 256;
    2 (34 pixels) at 64; 1 (16 pixels) below, so that a patch is never more than half the window."""
    return 3 if size >= 128 else 2 if size >= 64 else 1


class PatchDiscriminator(nn.Module):
    """Judges every patch: ``layers`` 4x4 convolutions of stride 2, two of stride 1, LeakyReLU 0.2 between them.

    Widths double from ``width`` at each layer, up to 8 times (published: 3 layers from 64). No norm in the first and
    the last. The output is a **map of logits** (B, 1, h, w); means over it are the paper's average over patches.
    """

    def __init__(self, in_channels: int, layers: int = 3, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()

        def bound(layer: nn.Conv2d) -> nn.Module:
            return spectral_norm(layer) if norm == "spectral" else layer

        def normed(channels: int) -> nn.Module:
            kinds = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
            return kinds[norm](channels) if norm in kinds else nn.Identity()

        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        steps: list[nn.Module] = [bound(nn.Conv2d(in_channels, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        for level, (before, after) in enumerate(pairwise(widths), start=1):
            stride = 2 if level < layers else 1
            steps += [
                bound(nn.Conv2d(before, after, 4, stride, 1, bias=norm != "batch")),
                normed(after),
                nn.LeakyReLU(0.2),
            ]
        self.net = nn.Sequential(*steps, bound(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1], with the condition's channels behind them where there is one -> logits_B1HW."""
        return self.net(images_BCHW)
