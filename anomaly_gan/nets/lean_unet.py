"""A small U-Net for windows of 64 pixels at native resolution, trained on a processor."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

# Wide layers only where sides are small: a processor spends its time on large sides and per-pixel layers.
GROWTH = (1.0, 1.5, 4.0, 4.0)
MIDDLE_BLOCKS = 3


class _Block(nn.Module):
    """3x3 convolution, group norm (or none), LeakyReLU."""

    def __init__(self, before: int, after: int, stride: int = 1, norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, 1, bias=not norm)
        self.norm = nn.GroupNorm(max(1, after // 8), after) if norm else nn.Identity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(self.norm(self.conv(features)), 0.2)


class _Up(nn.Module):
    """Narrow to ``after`` channels, double the side (nearest), join the skip, 3x3 convolution.

    Narrowing comes first because a 1x1 convolution is four times cheaper on the small side.
    """

    def __init__(self, before: int, skip: int, after: int, norm: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(before, after, 1)
        self.block = _Block(after + skip, after, norm=norm)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        features = F.interpolate(self.narrow(features), scale_factor=2.0, mode="nearest")
        return self.block(torch.cat([features, skip.to(features.dtype)], dim=1))


class LeanUNet(nn.Module):
    """Residual head: returns r_BCHW, linear and close to 0 at the start; the caller adds it to the photograph.

    ``stages`` stride-2 convolutions of widths base x (1, 1.5, 4, 4), three residual blocks at the bottom, and back
    up with skips; at full resolution only base/4 channels, joined with the input itself. The two largest scales have
    no norm, the others group norm: an image's output does not depend on its batch. 0.58 M parameters at the
    defaults; sides must be multiples of ``2**stages``.

    Deviation from the paper's generator (U-Net with batch norm and tanh at 512 pixels): made for small native
    windows on one processor core. The last layer starts at ``head_scale`` of its usual size, so training starts
    from the untouched photograph.

    ``dropout``: share of features dropped after the bottom and each step up but the last, while training **and**
    after it: pix2pix's noise (Isola et al. 2017, section 2.1). It draws from torch's own stream.

    Raises:
        ValueError: ``stages`` outside 2-4, or an input side that is no multiple of ``2**stages``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        base_width: int = 32,
        stages: int = 3,
        head_scale: float = 0.1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 2 <= stages <= len(GROWTH):
            raise ValueError(f"stages lie in 2-{len(GROWTH)}, not {stages}")
        widths = [int(base_width * growth) for growth in GROWTH[:stages]]
        inputs = [in_channels, *widths[:-1]]
        outputs = [base_width // 4, *widths[:-1]]
        self.multiple, self.dropout = 2**stages, dropout
        self.down = nn.ModuleList(
            _Block(before, after, stride=2, norm=level > 0)
            for level, (before, after) in enumerate(pairwise([in_channels, *widths]))
        )
        self.middle = nn.ModuleList(_Block(widths[-1], widths[-1]) for _ in range(MIDDLE_BLOCKS))
        self.up = nn.ModuleList(
            _Up(before, skip, after, norm=level > 1)
            for level, (before, skip, after) in enumerate(zip(widths, inputs, outputs, strict=True))
        )
        self.head = nn.Conv2d(outputs[0], out_channels, 3, 1, 1)
        with torch.no_grad():
            self.head.weight.mul_(head_scale)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, H, W) -> residual (B, out_channels, H, W), unbounded."""
        height, width = images_BCHW.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"sides {height}x{width} must be multiples of {self.multiple}")
        features, skips = images_BCHW, []
        for down in self.down:
            skips.append(features)
            features = down(features)
        for block in self.middle:
            features = features + block(features)
        for up, skip in zip(reversed(list(self.up)), reversed(skips), strict=True):
            if self.dropout:
                features = F.dropout(features, self.dropout, training=True)
            features = up(features, skip)
        return self.head(features)
