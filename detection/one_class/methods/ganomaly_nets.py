"""Nets of the GANomaly family, and their scoring with the statistics of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn

SLOPE = 0.2
MOST = 8
"""A net's widest layer has at most this many times the channels of its first."""


def start(module: nn.Module) -> None:
    """The authors' start: convolutions and linear layers N(0, 0.02), BatchNorm scales N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def widths_down_to_four(size: int, width: int) -> list[int]:
    """Channels after each halving of an image of ``size`` pixels, down to 4 x 4."""
    return [width * min(MOST, 2**level) for level in range(int(log2(size)) - 2)]


class Pyramid(nn.Sequential):
    """x_BCHW -> (B, ``channels_out``, 4, 4): halving convolutions, BatchNorm on all but the first, LeakyReLU."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        widths = widths_down_to_four(size, width)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers)
        self.channels_out = widths[-1]


class Encoder(nn.Module):
    """x_BCHW in [-1, 1] -> z (B, latent), unbounded."""

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(channels, size, width)
        self.last = nn.Conv2d(self.pyramid.channels_out, latent, 4, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.last(self.pyramid(x_BCHW)).flatten(1)


class Decoder(nn.Module):
    """z (B, latent) -> x_BCHW in [-1, 1], the encoder's mirror image."""

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        widths = widths_down_to_four(size, width)[::-1]
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent, 1, 1)),
            nn.ConvTranspose2d(latent, widths[0], 4, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False))

    def forward(self, z_BD: Tensor) -> Tensor:
        return torch.tanh(self.body(z_BD).float())


class PyramidDiscriminator(nn.Module):
    """GANomaly's: x_BCHW -> (logit (B,), features (B, C, 4, 4)), the features right before the last layer."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(channels, size, width)
        self.last = nn.Conv2d(self.pyramid.channels_out, 1, 4, bias=False)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        features = self.pyramid(x_BCHW)
        return self.last(features).flatten(), features


class FeatureDiscriminator(nn.Module):
    """Skip-GANomaly's: x_BCHW -> (logit (B,), features (B, latent)).

    The last layer is a 3x3 convolution of a 1x1 map in the code, of which only the centre counts: a linear layer.
    """

    def __init__(self, channels: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        self.encoder = Encoder(channels, size, width, latent)
        self.last = nn.Linear(latent, 1, bias=False)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(x_BCHW)
        return self.last(features).flatten(), features


class SkipUNet(nn.Module):
    """x_BCHW in [-1, 1] -> x_BCHW in [-1, 1]: Skip-GANomaly's generator, halved down to one pixel and up again with
    every level handed across (the U-Net of Isola et al. 2017 without dropout)."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        depth = int(log2(size))
        widths = [width * min(MOST, 2**level) for level in range(depth)]
        downs, ups = [], []
        for level, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
            layers: list[nn.Module] = [nn.LeakyReLU(SLOPE)] if level else []
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
            if 0 < level < depth - 1:
                layers.append(nn.BatchNorm2d(after))
            downs.append(nn.Sequential(*layers))
        for level in range(depth - 1, 0, -1):
            before = widths[level] * (1 if level == depth - 1 else 2)
            ups.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(before, widths[level - 1], 4, 2, 1, bias=False),
                    nn.BatchNorm2d(widths[level - 1]),
                )
            )
        self.downs, self.ups = nn.ModuleList(downs), nn.ModuleList(ups)
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, channels, 4, 2, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        levels = []
        x = x_BCHW
        for down in self.downs:
            x = down(x)
            levels.append(x)
        x = levels.pop()
        for up in self.ups:
            x = torch.cat([levels.pop(), up(x)], dim=1)
        return torch.tanh(self.last(x).float())


@contextmanager
def batch_statistics(nets: dict[str, nn.Module]) -> Iterator[None]:
    """Within the block every BatchNorm uses its batch's own statistics; afterwards buffers and modes are as before."""
    modes = {module: module.training for net in nets.values() for module in net.modules()}
    kept = [(buffer, buffer.clone()) for net in nets.values() for buffer in net.buffers()]
    try:
        for net in nets.values():
            net.train()
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def scores_by_batch(
    nets: dict[str, nn.Module], score: Callable[[Tensor], Tensor], images_NCHW: Tensor, batch: int = 64
) -> Tensor:
    """(N,) on the CPU: ``score`` of 64 images at a time, in the order given, with the statistics of each batch.

    So the authors' code tests: it never leaves training mode and does not shuffle, which makes every batch pure where
    the normals come first. A score then depends on the image's neighbours, which share its label.
    """
    device = next(next(iter(nets.values())).parameters()).device
    with batch_statistics(nets):
        return torch.cat([score(chunk.to(device)).float().cpu() for chunk in images_NCHW.split(batch)])
