"""The local versus global consistency discriminator (Liu et al. 2023, section 4.2.2; after Iizuka et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "spectral", "none"]
END = 4  # both subnets end at 4x4


def _convolutions(size: int) -> int:
    count = (size // END).bit_length() - 1
    if count < 1 or size != END * 2**count:
        raise ValueError(f"a discriminator's side must be {END} times a power of two (8, 16, ...), not {size}")
    return count


def _subnet(in_channels: int, size: int, widths: Sequence[int], features: int, norm: Norm) -> nn.Sequential:
    count = _convolutions(size)
    if len(widths) < count:
        raise ValueError(f"a side of {size} needs {count} widths, got {len(widths)}")

    def bound(layer: nn.Module) -> nn.Module:
        return spectral_norm(layer) if norm == "spectral" else layer

    layers: list[nn.Module] = []
    for before, width in pairwise([in_channels, *widths[:count]]):
        layers.append(bound(nn.Conv2d(before, width, 5, 2, 2, bias=norm != "batch")))
        if norm == "batch":
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.LeakyReLU(0.2))
    # Without a nonlinearity here this layer and the last would be one linear map; the paper leaves it open.
    layers += [nn.Flatten(), bound(nn.Linear(widths[count - 1] * END * END, features)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


class LocalGlobalDiscriminator(nn.Module):
    """Judges a whole image and the crop around its anomaly together.

    Each subnet: ``log2(side / 4)`` convolutions 5x5 of stride 2 down to 4x4 (the first ``widths`` of the list),
    each with norm and LeakyReLU, then a fully connected layer to ``features``; both are concatenated and mapped to
    one number. The defaults are the paper's sizes with Iizuka's widths: 45.1 M parameters.

    The output is a **logit** (B, 1): the paper's sigmoid lies in the losses, where it is stable.
    Deviation: ``norm`` "spectral" (no statistics of the batch, so real and fake batches do not leak into the
    verdict) or "none" beside the paper's "batch".

    Raises:
        ValueError: a side that is not 4 times a power of two, or fewer widths than convolutions.
    """

    def __init__(
        self,
        in_channels: int = 3,
        local_size: int = 64,
        global_size: int = 512,
        widths: Sequence[int] = (64, 128, 256, 512, 512, 512, 512),
        features: int = 1024,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        self.local_net = _subnet(in_channels, local_size, widths, features, norm)
        self.global_net = _subnet(in_channels, global_size, widths, features, norm)
        head = nn.Linear(2 * features, 1)
        self.head = spectral_norm(head) if norm == "spectral" else head

    def forward(self, local_BCHW: torch.Tensor, global_BCHW: torch.Tensor) -> torch.Tensor:
        """Crops (B, C, local, local) and images (B, C, global, global), both in [-1,1] -> logits_B1."""
        return self.head(torch.cat([self.local_net(local_BCHW), self.global_net(global_BCHW)], dim=1))


class GlobalDiscriminator(nn.Module):
    """The global subnet alone, and its own last layer: the paper's ablation (section 5.2, Table 1).

    Arguments and errors as of ``LocalGlobalDiscriminator``.
    """

    def __init__(
        self, in_channels: int, global_size: int, widths: Sequence[int], features: int, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        self.global_net = _subnet(in_channels, global_size, widths, features, norm)
        head = nn.Linear(features, 1)
        self.head = spectral_norm(head) if norm == "spectral" else head

    def forward(self, global_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, global, global) in [-1,1] -> logits_B1."""
        return self.head(self.global_net(global_BCHW))
