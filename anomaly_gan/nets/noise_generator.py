"""Images from noise: a small decoder and the discriminator of the windows it makes (CGAN, LSGAN)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "instance", "spectral", "none"]
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
START = 4
"""Both nets meet the latent vector at a side of 4 pixels."""
GROWTH = (1, 2, 3, 4, 6, 8, 8, 8)
"""Widths over ``base_width``, from the full side down to the smallest."""


def doublings(size: int) -> int:
    """How often a side of 4 pixels is doubled up to ``size``.

    Raises:
        ValueError: ``size`` is not 4 times a power of two (8 to 512).
    """
    count = (size // START).bit_length() - 1
    if not 1 <= count < len(GROWTH) or size != START * 2**count:
        raise ValueError(f"a window's side must be {START} times a power of two (8 to 512), not {size}")
    return count


class NoiseGenerator(nn.Module):
    """Latent vector and category, and a mask where ``masked``, to a picture: a DCGAN-like decoder.

    The latent vector and the one-hot category become a map of 4x4; each stage doubles its side (nearest), joins the
    mask at that side, and ends with a 3x3 convolution, group norm and LeakyReLU. The mask is max-pooled to a stage's
    side: a thin crack would fade in an average. The defaults have about 0.6 M parameters.

    Deviation: Mirza & Osindero (2014) used fully connected layers, Mao et al. (2017) transposed convolutions with
    batch norm. This is one net for both, without statistics of the batch and without checkerboards.

    Raises:
        ValueError: ``size`` is not 4 times a power of two.
    """

    def __init__(
        self,
        out_channels: int,
        categories: int,
        size: int = 64,
        latent: int = 64,
        base_width: int = 32,
        masked: bool = False,
    ) -> None:
        super().__init__()
        stages = doublings(size)
        widths = [base_width * factor for factor in GROWTH[: stages + 1]][::-1]
        self.latent, self.categories, self.masked = latent, categories, masked
        self.start = nn.Linear(latent + categories, widths[0] * START * START)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before + masked, after, 3, 1, 1, bias=False) for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(max(1, width // 8), width) for width in widths[1:])
        self.last = nn.Conv2d(widths[-1] + masked, out_channels, 3, 1, 1)

    def forward(
        self, z_BL: torch.Tensor, category_B: torch.Tensor, mask_B1HW: torch.Tensor | None = None
    ) -> torch.Tensor:
        """z_BL from a normal distribution, mask_B1HW in {0, 1} -> picture_BCHW in [-1, 1]."""
        chosen = F.one_hot(category_B, self.categories).to(z_BL.dtype)
        features = self.start(torch.cat([z_BL, chosen], dim=1)).unflatten(1, (-1, START, START))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = F.leaky_relu(norm(convolution(self._join(features, mask_B1HW))), 0.2)
        return torch.tanh(self.last(self._join(features, mask_B1HW)).float())

    def _join(self, features: torch.Tensor, mask_B1HW: torch.Tensor | None) -> torch.Tensor:
        if not self.masked:
            return features
        assert mask_B1HW is not None
        mask = F.adaptive_max_pool2d(mask_B1HW, features.shape[-2:])
        return torch.cat([features, mask.to(features.dtype)], dim=1)


class WindowDiscriminator(nn.Module):
    """Logit of (picture, mask, category): 4x4 convolutions of stride 2 with norm and LeakyReLU down to 4x4 (the first
    ``widths`` of the list), then one fully connected layer; the category comes in as constant planes. No norm in the
    first layer, as in DCGAN.

    Raises:
        ValueError: ``size`` is not 4 times a power of two, or there are fewer widths than convolutions.
    """

    def __init__(
        self,
        image_channels: int,
        categories: int,
        size: int = 64,
        widths: tuple[int, ...] = (32, 64, 128, 192),
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        count = doublings(size)
        if len(widths) < count:
            raise ValueError(f"a side of {size} needs {count} widths, got {len(widths)}")
        self.categories = categories
        layers: list[nn.Module] = []

        def bound(layer: nn.Module) -> nn.Module:
            return spectral_norm(layer) if norm == "spectral" else layer

        for before, width in pairwise([image_channels + 1 + categories, *widths[:count]]):
            layers.append(bound(nn.Conv2d(before, width, 4, 2, 1)))
            if layers[1:] and norm in NORMS:
                layers.append(NORMS[norm](width))
            layers.append(nn.LeakyReLU(0.2))
        self.net = nn.Sequential(*layers, nn.Flatten(), bound(nn.Linear(widths[count - 1] * START * START, 1)))

    def forward(self, image_BCHW: torch.Tensor, mask_B1HW: torch.Tensor, category_B: torch.Tensor) -> torch.Tensor:
        """Pictures and masks in [-1, 1] -> logits_B1."""
        planes = F.one_hot(category_B, self.categories).to(image_BCHW)[:, :, None, None]
        planes = planes.expand(-1, -1, *image_BCHW.shape[-2:])
        return self.net(torch.cat([image_BCHW, mask_B1HW.to(image_BCHW), planes], dim=1))
