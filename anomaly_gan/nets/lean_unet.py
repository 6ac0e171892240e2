"""A small U-Net for windows of 64 pixels at native resolution, trained on a processor."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


def _groups(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // 8), channels)


class _Block(nn.Module):
    """3x3 convolution, group norm, SiLU."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm = _groups(after)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.silu(self.norm(self.conv(features)))


class LeanUNet(nn.Module):
    """Residual head: returns r_BCHW, linear and close to 0 at the start; the caller adds it to the photograph.

    ``stages`` stride-2 steps of widths base, 2 base, 4 base below a full-resolution stem of base/2 (full resolution
    is where a processor spends its time); group norm, so an image's output does not depend on its batch. Sides must
    be multiples of ``2**stages``. 0.6 M parameters at the defaults.

    Deviation from the paper's generator (U-Net with batch norm and tanh at 512 pixels): made for small native
    windows on one processor core. The last layer starts at ``head_scale`` of its usual size, so training starts
    from the untouched photograph.

    Raises:
        ValueError: an input side that is no multiple of ``2**stages``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, base_width: int = 32, stages: int = 3, head_scale: float = 0.1
    ) -> None:
        super().__init__()
        widths = [base_width // 2, *(base_width * 2**stage for stage in range(stages))]
        self.multiple = 2**stages
        self.stem = nn.Conv2d(in_channels, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Sequential(_Block(a, b, stride=2), _Block(b, b)) for a, b in pairwise(widths))
        self.middle = _Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(_Block(a + b, a) for a, b in pairwise(widths))
        self.head = nn.Conv2d(widths[0], out_channels, 3, 1, 1)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, H, W) -> residual (B, out_channels, H, W), unbounded."""
        height, width = images_BCHW.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"sides {height}x{width} must be multiples of {self.multiple}")
        features = F.silu(self.stem(images_BCHW))
        skips = []
        for down in self.down:
            skips.append(features)
            features = down(features)
        features = features + self.middle(features)
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):  # type: ignore[call-overload]
            features = up(torch.cat([F.interpolate(features, scale_factor=2.0, mode="nearest"), skip], dim=1))
        return self.head(features)
