"""The dense detector's net: pretrained features, a U-shaped decoder, one map a category, and a coarse second head."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.nets.efficientnet_lite import IMAGENET_MEAN, IMAGENET_STD, TRUNKS, efficientnet_lite

from .config import DenseConfig
from .instances import Inspected
from .predict import Seen, look
from .trunk import depthwise_kernels, trunk_features

COARSE = 16
"""Stride of the coarse head, which serves training alone."""


@dataclass(frozen=True)
class Logits:
    """``maps_BKHW`` at the input's size, ``coarse_BKhw`` at 1/16 of it."""

    maps_BKHW: Tensor
    coarse_BKhw: Tensor


class Stem(nn.Module):
    """The trunk's first convolution, and beside it one for a fourth channel, the one-class map: it starts at zero,
    so that the net with a map is the net without one until the map has been found useful.
    """

    def __init__(self, colour: nn.Module, channels: int) -> None:
        super().__init__()
        self.colour = colour
        self.prior = nn.Conv2d(1, channels, 3, stride=2, bias=False)
        nn.init.zeros_(self.prior.weight)

    def forward(self, images_B4HW: Tensor) -> Tensor:
        prior = self.prior(F.pad(images_B4HW[:, 3:], (0, 1, 0, 1)))
        return self.colour(images_B4HW[:, :3]) + prior


class DenseNet(nn.Module):
    """EfficientNet-Lite features at strides 2 to 32 and a U-Net decoder (Ronneberger et al. 2015).

    Input: images in [0, 1], (B, 3, H, W), or (B, 4, H, W) with a one-class map; H and W multiples of 32. Batch
    statistics of the trunk are frozen, and so are its first ``frozen_stages`` stages and all its depthwise kernels: a
    step's largest single cost on a processor would be the gradient of those of 5 × 5.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, categories: int, config: DenseConfig, pretrained: bool = True) -> None:
        super().__init__()
        self.config, self.categories = config, categories
        self.body = efficientnet_lite(config.trunk, features_only=True, pretrained=pretrained)
        channels = TRUNKS[config.trunk].channels
        self._freeze(config.frozen_stages)
        if config.prior:
            stem: nn.Conv2d = self.body.conv_stem  # type: ignore[assignment]
            self.body.conv_stem = Stem(stem, stem.out_channels)
        levels = [3, 2, 1, 0][: 4 if config.finest == 2 else 3]
        self.levels = levels
        self.top = _block(channels[4], config.widths[0], 1)
        inputs = [config.widths[0], *config.widths[: len(levels) - 1]]
        self.decoder = nn.ModuleList(
            _block(wide + channels[level], width)
            for wide, level, width in zip(inputs, levels, config.widths, strict=False)
        )
        self.maps = nn.Conv2d(config.widths[len(levels) - 1], categories, 1)
        self.coarse = nn.Conv2d(config.widths[0], categories, 1)
        for head, share in ((self.maps, 0.01), (self.coarse, 0.02)):
            nn.init.normal_(head.weight, std=0.01)
            assert head.bias is not None
            nn.init.constant_(head.bias, math.log(share / (1 - share)))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # a sixth faster on a processor

    def _freeze(self, stages: int) -> None:
        blocks = [part for name, part in self.body.named_modules() if re.fullmatch(r"blocks\.\d", name)]
        for module in self.body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
        for weight in depthwise_kernels(self.body):
            weight.requires_grad_(False)
        if stages:
            for part in (self.body.get_submodule("conv_stem"), *blocks[:stages]):
                part.requires_grad_(False)

    def train(self, mode: bool = True) -> DenseNet:
        super().train(mode)
        self.body.eval()
        return self

    def features(self, images_BCHW: Tensor) -> list[Tensor]:
        """The trunk's maps at strides 2 to 32."""
        colour = (images_BCHW[:, :3] - self.mean) / self.std
        images = torch.cat([colour, images_BCHW[:, 3:]], 1) if self.config.prior else colour
        return trunk_features(self.body, images.contiguous(memory_format=torch.channels_last))

    def decode(self, features: list[Tensor]) -> Logits:
        """Maps from the trunk's features, float32 in any arithmetic. Factors, not sizes, so that a traced graph takes
        any size."""
        value, coarse = self.top(features[4]), None
        for level, block in zip(self.levels, self.decoder, strict=True):
            beside = features[level]
            value = block(torch.cat([F.interpolate(value, scale_factor=2), beside], 1))
            if coarse is None:
                with torch.autocast(value.device.type, enabled=False):
                    coarse = self.coarse(value.float())
        assert coarse is not None
        with torch.autocast(value.device.type, enabled=False):
            fine = self.maps(value.float())
        maps = F.interpolate(fine, scale_factor=self.config.finest, mode="bilinear", align_corners=False)
        return Logits(maps, coarse)

    def forward(self, images_BCHW: Tensor) -> Logits:
        return self.decode(self.features(images_BCHW))

    def shares(self, images_BCHW: Tensor) -> Tensor:
        """(B, K, H, W) in [0, 1]: the maps at the input's size."""
        return torch.sigmoid(self(images_BCHW).maps_BKHW)

    def look(self, pixels: np.ndarray, device: torch.device, prior: np.ndarray | None = None) -> Seen:
        """Maps of a photograph of any size, uint8 (H, W) or (H, W, 3)."""
        return look(self.shares, self.config, self.categories, pixels, device, prior)

    def inspect(self, pixels: np.ndarray, device: torch.device, prior: np.ndarray | None = None) -> Inspected:
        """Instances, score and maps of a photograph of any size."""
        return self.look(pixels, device, prior).read(self.config)


def _block(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=0.05),
        nn.ReLU(inplace=True),
    )
