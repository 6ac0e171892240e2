"""From a configuration to a task: the only place where TrainConfig meets the nets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ....losses import adversarial
from ....nets.augment import AugmentPolicy
from ....nets.aware import AwareNet
from ....nets.discriminator import GlobalDiscriminator, LocalGlobalDiscriminator
from ....nets.lean_unet import LeanUNet
from ..config import TrainConfig
from ..painting.networks import adamw, build_generator, build_painter, make_ready
from .consistency import Consistency
from .task import DISCRIMINATORS, Adversary, AnomalyGanTask, Judging, Weights

ADVERSARIES = {
    "bce": Adversary(
        adversarial.bce_d, adversarial.bce_g, adversarial.bce_d2, adversarial.bce_g2, reject=adversarial.bce_g2
    ),
    "hinge": Adversary(
        adversarial.hinge_d,
        adversarial.hinge_g,
        adversarial.hinge_d2,
        adversarial.hinge_g2,
        reject=lambda logits: F.relu(1 + logits.float()).mean(),
    ),
    "lsgan": Adversary(
        adversarial.lsgan_d,
        adversarial.lsgan_g,
        adversarial.lsgan_d2,
        adversarial.lsgan_g2,
        reject=adversarial.lsgan_g2,
    ),
    # D2GAN (Nguyen et al. 2017) with its unbounded softplus scores.
    "d2gan": Adversary(
        adversarial.d2gan_d1,
        adversarial.d2gan_g1,
        adversarial.d2gan_d2,
        adversarial.d2gan_g2,
        reject=adversarial.bce_g2,
    ),
}

SEGMENTER_WIDTH, SEGMENTER_DEPTH = 16, 3
"""Of the mask-consistency segmenter: 0.15 M parameters."""


def build_task(
    config: TrainConfig,
    channels: int,
    categories: int,
    aware: AwareNet | None,
    seed: int,
    device: torch.device | None = None,
) -> AnomalyGanTask:
    """All nets with weights drawn from ``seed``, one AdamW for both generators and one for the discriminators."""
    assert aware is not None, "the registry's row asks for it"
    torch.manual_seed(seed % 2**32)
    painter = build_painter(config, categories)
    seen = channels + (painter.categories or 0)
    named = categories if config.consistency_names else 0
    nets: dict[str, nn.Module] = {
        "generator": build_generator(config, channels, categories),
        "restorer": build_generator(config, channels, categories, steered=False),
        **{name: build_discriminator(config, seen) for name in DISCRIMINATORS},
        "aware": aware,
    }
    if config.consistency:  # the last to be drawn: all others start as they do without it
        nets["segmenter"] = LeanUNet(channels, named or 1, SEGMENTER_WIDTH, SEGMENTER_DEPTH, head_scale=1.0)
    make_ready(nets, config, device)
    optimizers: dict[str, torch.optim.Optimizer] = {
        "generators": adamw([nets["generator"], nets["restorer"]], config),
        "discriminators": adamw([nets[name] for name in DISCRIMINATORS], config, config.discriminator_rate),
    }
    weights = Weights(
        config.lambda_1,
        config.cycle,
        config.inside,
        config.aware,
        config.severity,
        config.mismatch,
        config.paired,
        config.mode_seeking,
    )
    judging = Judging(config.r1, config.r1_every, AugmentPolicy(chance=config.augment) if config.augment else None)
    consistency = None
    if config.consistency:
        consistency = Consistency(nets["segmenter"], adamw([nets["segmenter"]], config), config.consistency, named)
    return AnomalyGanTask(
        nets,
        painter,
        ADVERSARIES[config.adversarial],
        weights,
        optimizers,
        config.local_size if config.discriminator_view == "both" else None,
        config.aware_size,
        config.masked_local,
        config.ema,
        judge_apart=config.discriminator_norm == "batch",
        aware_compare=config.aware_compare,
        judging=judging,
        consistency=consistency,
    )


def build_discriminator(config: TrainConfig, channels: int) -> nn.Module:
    """One of the four, on pictures of ``channels`` with their mask maps."""
    assert config.discriminator_norm != "instance", "TrainConfig refuses it"
    if config.discriminator_view == "global":
        return GlobalDiscriminator(channels, config.size, config.widths, config.features, config.discriminator_norm)
    return LocalGlobalDiscriminator(
        channels, config.local_size, config.size, config.widths, config.features, config.discriminator_norm
    )
