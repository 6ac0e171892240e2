"""From a configuration to a task: the only place where it meets the nets."""

from __future__ import annotations

import torch
from torch import nn

from ....nets.augment import AugmentPolicy
from ....nets.discriminator import GlobalDiscriminator, LocalGlobalDiscriminator
from ....nets.lean_unet import LeanUNet
from ..adversaries import ADVERSARIES
from ..config import TaskSetup, TrainConfig
from ..painting.networks import adamw, build_generator, build_painter, make_ready
from .config import AnomalyGanConfig
from .consistency import Consistency
from .task import DISCRIMINATORS, AnomalyGanTask, Discrimination, Weights

SEGMENTER_WIDTH, SEGMENTER_DEPTH = 16, 3
"""Of the mask-consistency segmenter: 0.15 M parameters."""


def build_task(setup: TaskSetup) -> AnomalyGanTask:
    """All nets with weights drawn from ``seed``, one AdamW for both generators and one for the discriminators."""
    config, channels, categories = setup.config, setup.channels, setup.categories
    assert setup.aware is not None, "the registry's row asks for it"
    recipe = config.own(AnomalyGanConfig)
    torch.manual_seed(setup.seed % 2**32)
    painter = build_painter(config, categories)
    seen = channels + (painter.categories or 0)
    named = categories if recipe.consistency_names else 0
    nets: dict[str, nn.Module] = {
        "generator": build_generator(config, channels, categories),
        "restorer": build_generator(config, channels, categories, steered=False),
        **{name: build_discriminator(config, seen) for name in DISCRIMINATORS},
        "aware": setup.aware,
    }
    if recipe.consistency:  # the last to be drawn: all others start as they do without it
        nets["segmenter"] = LeanUNet(channels, named or 1, SEGMENTER_WIDTH, SEGMENTER_DEPTH, head_scale=1.0)
    make_ready(nets, config, setup.device)
    optimizers: dict[str, torch.optim.Optimizer] = {
        "generators": adamw([nets["generator"], nets["restorer"]], config),
        "discriminators": adamw([nets[name] for name in DISCRIMINATORS], config),
    }
    weights = Weights(
        recipe.lambda_1,
        recipe.cycle,
        recipe.inside,
        recipe.aware,
        recipe.severity,
        recipe.mismatch,
        recipe.paired,
        recipe.mode_seeking,
    )
    augment = AugmentPolicy(chance=recipe.augment) if recipe.augment else None
    discrimination = Discrimination(recipe.r1, recipe.r1_every, augment)
    consistency = None
    if recipe.consistency:
        consistency = Consistency(nets["segmenter"], adamw([nets["segmenter"]], config), recipe.consistency, named)
    return AnomalyGanTask(
        nets,
        painter,
        ADVERSARIES[recipe.adversarial],
        weights,
        optimizers,
        recipe.local_size if recipe.discriminator_view == "both" else None,
        recipe.aware_size,
        recipe.masked_local,
        config.ema,
        discriminate_apart=recipe.discriminator_norm == "batch",
        aware_compare=recipe.aware_compare,
        discrimination=discrimination,
        consistency=consistency,
    )


def build_discriminator(config: TrainConfig, channels: int) -> nn.Module:
    """One of the four, on pictures of ``channels`` with their mask maps."""
    recipe, widths = config.own(AnomalyGanConfig), config.nets.widths
    if recipe.discriminator_view == "global":
        return GlobalDiscriminator(channels, config.size, widths, recipe.features, recipe.discriminator_norm)
    return LocalGlobalDiscriminator(
        channels, recipe.local_size, config.size, widths, recipe.features, recipe.discriminator_norm
    )
