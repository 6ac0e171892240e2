"""What several detectors are made of: inputs, starting weights, learning rates, and distances of more than one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

LEAST_CENTRE = 0.1


def pixels(images_BCHW: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return images_BCHW.to(memory_format=torch.channels_last).float() / 127.5 - 1


def parameters_of(*nets: nn.Module) -> list[nn.Parameter]:
    return [parameter for net in nets for parameter in net.parameters()]


def dcgan_start(module: nn.Module) -> None:
    """Weights from N(0, 0.02), batch norm's gain from N(1, 0.02), biases 0 (Radford et al. 2016)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def dropping(epoch: int) -> Callable[[int], float]:
    """A tenth of the learning rate from ``epoch`` on."""
    return lambda now: 0.1 if now >= epoch else 1.0


def away_from_zero(centre: Tensor, least: float = LEAST_CENTRE) -> Tensor:
    """A centre whose entries are at least ``least`` in size: at zero a net without biases could collapse on it."""
    return torch.where(centre.abs() < least, torch.where(centre < 0, -least, least), centre)


def mixed_distance(x: Tensor, again: Tensor, features: Tensor, features_again: Tensor, share: float) -> Tensor:
    """(B,) (1 - share) |x - G(z)| + share |f(x) - f(G(z))|, each a mean absolute difference (eq. 4-6).

    Deviation: means where the paper prints sums, so that neither the image size nor the width of the net changes the
    share. It orders images the same way but for the share's unit.
    """
    residual = (x - again).abs().flatten(1).mean(dim=1)
    return (1 - share) * residual + share * (features - features_again).abs().flatten(1).mean(dim=1)
