"""Nets and optimisers that every mask-conditioned generator is built from."""

from __future__ import annotations

import torch
from torch import nn

from ....engine.ema import add_average
from ....nets.lean_unet import LeanUNet
from ....nets.resnet import ResNetGenerator
from ....nets.unet import UNet
from ...pairs.compositing import Painter, painting_channels
from ...pairs.windows import Framing
from ..config import TrainConfig


def build_framing(config: TrainConfig) -> Framing:
    return Framing(config.size, config.scales, config.framing == "whole")


def build_painter(config: TrainConfig, categories: int) -> Painter:
    return Painter(
        categories if config.conditional else 0,
        config.noise,
        config.painting,
        config.support_px if config.composite else None,
        config.softness_px,
    )


def build_generator(config: TrainConfig, channels: int, categories: int, steered: bool = True) -> nn.Module:
    """G (``steered``) or H: the photograph's channels and the steering maps in, the photograph's channels out."""
    painter = build_painter(config, categories)
    inputs = channels + painter.extra_channels(steered, channels)
    outputs = painting_channels((painter if steered else painter.restorer).painting, channels)
    if config.generator == "lean_unet":
        return LeanUNet(inputs, outputs, config.base_width, config.depth, dropout=config.dropout)
    if config.generator == "resnet":
        return ResNetGenerator(inputs, outputs, config.base_width, config.blocks, config.norm)
    return UNet(
        inputs, outputs, depth=config.depth, base_width=config.base_width, norm=config.norm, dropout=config.dropout
    )


def make_ready(nets: dict[str, nn.Module], config: TrainConfig, device: torch.device | None) -> None:
    """Add the generator's average where the configuration asks for one, and lay all nets out as the device likes."""
    if config.ema:
        add_average(nets)
    for net in nets.values():
        net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def opponents(nets: dict[str, nn.Module], config: TrainConfig) -> dict[str, torch.optim.Optimizer]:
    """One AdamW for the generator and one for its discriminator."""
    return {
        "generator": adamw([nets["generator"]], config),
        "discriminator": adamw([nets["discriminator"]], config, config.discriminator_rate),
    }


def adamw(modules: list[nn.Module], config: TrainConfig, factor: float = 1.0) -> torch.optim.AdamW:
    """Weight decay for matrices and kernels only (off for norms and biases)."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=factor * config.learning_rate, betas=config.betas)
