"""Skip-GANomaly++: Skip-GANomaly with a residual generator and a pyramid of dilated convolutions at its bridge.

Park et al., "Skip-GANomaly++", AAAI 2024 (student abstract of two pages).
Deviation: it states the blocks (stem, three encoders, ASPP, three decoders, residual units, skips) and neither widths
nor losses; those are filled from ResUNet++ (Jha et al. 2019, without attention) and from Skip-GANomaly's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..configs.skip_ganomaly import SkipGanomalyPpConfig
from .ganomaly_nets import FeatureDiscriminator
from .skip_ganomaly import SkipGanomaly


def unit_pixels(images_BCHW: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1]."""
    return images_BCHW.to(memory_format=torch.channels_last).float() / 255


class Stem(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut; the size stays."""

    def __init__(self, before: int, after: int, residual: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1),
        )
        self.shortcut = nn.Conv2d(before, after, 1) if residual else None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y = self.body(x_BCHW)
        return y if self.shortcut is None else y + self.shortcut(x_BCHW)


class Residual(nn.Module):
    """Pre-activation residual unit (He et al. 2016): BN-ReLU-conv3x3 twice, and a 1x1 shortcut."""

    def __init__(self, before: int, after: int, stride: int, residual: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.ReLU(),
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1),
        )
        self.shortcut = nn.Conv2d(before, after, 1) if residual else None
        self._stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y = self.body(x_BCHW)
        if self.shortcut is None:
            return y
        # Not a strided convolution: oneDNN's backward of a strided 1x1 one writes past its buffers where the channels
        # are few and last (torch 2.15 on a CPU). Picking the pixels first is the same sum.
        return y + self.shortcut(x_BCHW[:, :, :: self._stride, :: self._stride])


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2016): dilated 3x3 convolutions and the image's mean, summed, 1x1.

    Deviation: rates 1, 2, 3 instead of ResUNet++'s 1, 6, 12, 18: on the 4 x 4 map of a 32 pixel image every rate of
    4 and more sees only padding beside its centre. The mean has no BatchNorm, as it is one value per image.
    """

    def __init__(self, before: int, after: int, rates: Sequence[int], image_pooling: bool = True) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 1, rate, dilation=rate, bias=False), nn.BatchNorm2d(after))
            for rate in rates
        )
        self.pooled = nn.Conv2d(before, after, 1) if image_pooling else None
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv2d(after, after, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x = self.enter(x_BCHW)
        parts = [branch(x) for branch in self.branches]
        if self.pooled is not None:
            parts.append(self.pooled(x.mean(dim=(2, 3), keepdim=True)))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return self.leave(total)


class ResidualGenerator(nn.Module):
    """x_BCHW in [0, 1] -> x_BCHW in [0, 1]; the side a multiple of 8.

    Channels: ``width`` (stem), 2, 4, 8 times as many (encoders), 16 times (bridge), 8, 4, 2 times (decoders).
    """

    def __init__(
        self,
        channels: int,
        width: int,
        rates: Sequence[int] = (1, 2, 3),
        image_pooling: bool = True,
        residual: bool = True,
        skips: bool = True,
    ) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.stem = Stem(channels, width, residual)
        self.encoders = nn.ModuleList(Residual(before, after, 2, residual) for before, after in pairwise(widths))
        self.bridge = Aspp(8 * width, 16 * width, rates, image_pooling)
        self.decoders = nn.ModuleList(
            Residual(before + (skip if skips else 0), after, 1, residual)
            for before, skip, after in zip(
                (16 * width, 8 * width, 4 * width), widths[2::-1], (8 * width, 4 * width, 2 * width), strict=True
            )
        )
        self.last = nn.Conv2d(2 * width, channels, 1)
        self._skips = skips

    def forward(self, x_BCHW: Tensor) -> Tensor:
        levels = [self.stem(x_BCHW)]
        for encoder in self.encoders:
            levels.append(encoder(levels[-1]))
        x = self.bridge(levels.pop())
        for decoder in self.decoders:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            skip = levels.pop()
            x = decoder(torch.cat([x, skip], dim=1) if self._skips else x)
        return torch.sigmoid(self.last(x).float())


def skip_ganomaly_pp(channels: int, settings: SkipGanomalyPpConfig) -> SkipGanomaly:
    """Generator as wide as asked, discriminator twice as wide (32 and 64 in full size), as in the parent."""
    generator = ResidualGenerator(
        channels, settings.width, settings.rates, settings.image_pooling, settings.residual, settings.skips
    )
    discriminator = FeatureDiscriminator(channels, settings.size, 2 * settings.width, settings.latent)
    return SkipGanomaly(generator, discriminator, settings, unit_pixels)
