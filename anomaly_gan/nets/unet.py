"""The pix2pix U-Net: the generator Anomaly-GAN's paper describes (Liu et al. 2023, section 4.2.1, Fig. 5)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Norm = Literal["batch", "instance", "none"]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    layers = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
    return layers[kind](channels) if kind in layers else nn.Identity()


class UNet(nn.Module):
    """Encoder-decoder of ``depth`` stride-2 4x4 convolutions and their transposes, with a skip at every scale.

    Takes images_BCHW (here: photograph in [-1,1] with the mask in [0,1] behind it) whose sides are multiples of
    ``2**depth``, returns (B, out_channels, H, W) in [-1,1] (tanh). Widths double from ``base_width`` up to
    ``max_width`` (None: eight times the base, as in pix2pix). Depth 8, width 64: 54.4 M parameters; depth 6,
    width 32: 7.3 M. pix2pix's ``dropout`` acts before the deepest steps up (three at most, never the last), while
    training and after it; Anomaly-GAN's paper names none.

    Raises:
        ValueError: ``depth`` below 2, or an input side that is no multiple of ``2**depth``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int,
        base_width: int,
        max_width: int | None = None,
        norm: Norm = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"a U-Net needs a depth of at least 2, not {depth}")
        limit = 8 * base_width if max_width is None else max_width
        widths = [min(base_width * 2**level, limit) for level in range(depth)]
        bias = norm != "batch"  # batch norm subtracts it again
        self.multiple, self.dropout = 2**depth, dropout
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            outer, inner = level == 0, level == depth - 1
            below = in_channels if outer else widths[level - 1]
            # No norm at either end: the first sees raw pixels, the last may be 1x1, where statistics are void.
            plain = outer or inner
            self.down.append(
                nn.Sequential(
                    nn.Identity() if outer else nn.LeakyReLU(0.2),
                    nn.Conv2d(below, width, 4, 2, 1, bias=bias),
                    nn.Identity() if plain else norm_layer(norm, width),
                )
            )
            source = width if inner else 2 * width
            target = out_channels if outer else below
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(source, target, 4, 2, 1, bias=bias or outer),
                    nn.Tanh() if outer else norm_layer(norm, target),
                )
            )

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1,1]."""
        height, width = images_BCHW.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"sides {height}x{width} must be multiples of {self.multiple}")
        features, skips = images_BCHW, []
        for down in self.down:
            features = down(features)
            skips.append(features)
        features = self.up[-1](skips.pop())
        for step, (up, skip) in enumerate(zip(reversed(list(self.up)[:-1]), reversed(skips), strict=True)):
            if self.dropout and step < 3:
                features = F.dropout(features, self.dropout, training=True)
            features = up(torch.cat([skip, features], dim=1))
        return features
