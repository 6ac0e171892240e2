"""Nets and optimisers that every mask-conditioned generator is built from."""

from __future__ import annotations

import torch
from torch import nn

from ....engine.ema import add_average
from ....engine.precision import FLOAT32, decide
from ....nets.lean_unet import LeanUNet
from ....nets.resnet import ResNetGenerator
from ....nets.unet import UNet
from ...pairs.compositing import Painter, painting_channels
from ...pairs.windows import Framing
from ..config import TrainConfig
from ..painter import PaintedConfig, PainterConfig

SOFTNESS_PX = 1
"""Over twice this many pixels a pasted painting fades out."""
WEIGHT_DECAY = 0.01


def build_framing(config: TrainConfig) -> Framing:
    return Framing(config.size, config.scales, config.framing == "whole")


def build_painter(config: TrainConfig, categories: int) -> Painter:
    recipe = painter_settings(config)
    return Painter(
        categories if recipe.conditional else 0,
        recipe.noise,
        recipe.painting,
        recipe.support_px if recipe.composite else None,
        SOFTNESS_PX,
    )


def painter_settings(config: TrainConfig) -> PainterConfig:
    """How the method of this training paints; every method but those from noise has such settings."""
    return config.own(PaintedConfig).painter


def build_generator(config: TrainConfig, channels: int, categories: int, steered: bool = True) -> nn.Module:
    """G (``steered``) or H: the photograph's channels and the steering maps in, the photograph's channels out."""
    painter = build_painter(config, categories)
    inputs = channels + painter.extra_channels(steered, channels)
    outputs = painting_channels((painter if steered else painter.restorer).painting, channels)
    nets, dropout = config.nets, painter_settings(config).dropout
    if nets.generator == "lean_unet":
        return LeanUNet(inputs, outputs, nets.base_width, nets.depth, dropout=dropout)
    if nets.generator == "resnet":
        return ResNetGenerator(inputs, outputs, nets.base_width, norm=nets.norm)
    return UNet(inputs, outputs, depth=nets.depth, base_width=nets.base_width, norm=nets.norm, dropout=dropout)


def make_ready(nets: dict[str, nn.Module], config: TrainConfig, device: torch.device | None) -> None:
    """Add the generator's average where the configuration asks for one, and lay all nets out as the device likes."""
    if config.ema:
        add_average(nets)
    for net in nets.values():
        net.to(device=device, memory_format=layout(config, device))  # type: ignore[call-overload]


def layout(config: TrainConfig, device: torch.device | None) -> torch.memory_format:
    """Channels last, but for wide nets at float32 on a processor: there the blocks that oneDNN chooses by itself are
    faster (3x3 with 256 channels, forward and backward, AVX2: 153 against 190 ms)."""
    on_processor = device is None or device.type == "cpu"
    if config.nets.generator == "resnet" and on_processor and decide(config.precision, "cpu").precision == FLOAT32:
        return torch.contiguous_format
    return torch.channels_last


def opponents(nets: dict[str, nn.Module], config: TrainConfig) -> dict[str, torch.optim.Optimizer]:
    """One AdamW for the generator and one for its discriminator."""
    return {
        "generator": adamw([nets["generator"]], config),
        "discriminator": adamw([nets["discriminator"]], config),
    }


def adamw(modules: list[nn.Module], config: TrainConfig) -> torch.optim.AdamW:
    """Weight decay for matrices and kernels only (off for norms and biases)."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
