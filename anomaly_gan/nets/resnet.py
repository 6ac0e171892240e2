"""The generator that the released code of Anomaly-GAN really holds: a ResNet without skips.

Johnson et al. 2016, as CycleGAN (Zhu et al. 2017, section 7.1) uses it for photographs of 256 pixels and more.
"""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .unet import Norm, norm_layer

MULTIPLE = 4
"""The net halves its input twice."""


class ResNetGenerator(nn.Module):
    """7x7 convolution, two stride-2 convolutions, ``blocks`` residual blocks, two transposed ones, 7x7 and tanh.

    Takes images_BCHW (photograph in [-1,1], steering maps behind it) whose sides are multiples of 4, returns
    (B, out_channels, H, W) in [-1,1]. 4 to 3 channels, width 64, 9 blocks, batch norm: 11,391,811 parameters, with the
    released checkpoint's biases before every norm.

    Raises:
        ValueError: fewer than one block, or an input side that is no multiple of 4.
    """

    def __init__(
        self, in_channels: int, out_channels: int, base_width: int = 64, blocks: int = 9, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"a ResNet needs at least one block, not {blocks}")
        widths = [base_width, 2 * base_width, 4 * base_width]
        layers: list[nn.Module] = [ReflectConv2d(in_channels, base_width, 7), norm_layer(norm, base_width), nn.ReLU()]
        for below, width in pairwise(widths):
            layers += [nn.Conv2d(below, width, 3, 2, 1), norm_layer(norm, width), nn.ReLU()]
        layers += [ResidualBlock(widths[-1], norm) for _ in range(blocks)]
        for width, above in pairwise(reversed(widths)):
            layers += [nn.ConvTranspose2d(width, above, 3, 2, 1, output_padding=1), norm_layer(norm, above), nn.ReLU()]
        layers += [ReflectConv2d(base_width, out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1,1]."""
        height, width = images_BCHW.shape[-2:]
        if height % MULTIPLE or width % MULTIPLE:
            raise ValueError(f"sides {height}x{width} must be multiples of {MULTIPLE}")
        painted: torch.Tensor = self.layers(images_BCHW)
        return painted


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose answer is added to their question."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ReflectConv2d(width, width, 3),
            norm_layer(norm, width),
            nn.ReLU(),
            ReflectConv2d(width, width, 3),
            norm_layer(norm, width),
        )

    def forward(self, features_BCHW: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = features_BCHW + self.layers(features_BCHW)
        return added


class ReflectConv2d(nn.Conv2d):
    """An odd-sized convolution that keeps the sides, its border mirrored.

    The border is copied in the precision that comes in: autocast would have it in float32, seven times slower, and
    the convolution would round it back.
    """

    def __init__(self, in_channels: int, out_channels: int, side: int) -> None:
        super().__init__(in_channels, out_channels, side)
        self.border = 4 * (side // 2,)

    def forward(self, features_BCHW: torch.Tensor) -> torch.Tensor:
        place = features_BCHW.device.type
        with torch.autocast(place, enabled=False) if torch.amp.is_autocast_available(place) else nullcontext():
            wider = F.pad(features_BCHW, self.border, mode="reflect")
        return super().forward(wider)
