"""CGAN and LSGAN as tasks: a generator from noise and one discriminator, on windows around real defects.

CGAN (Mirza & Osindero 2014): the condition y of eq. 2 is the category and the mask; fakes get the conditions of the
real windows beside them. LSGAN (Mao et al. 2017): no mask goes in, so that the picture's label must come out: the
generator makes picture and mask together.

Deviation: the paper (Liu et al. 2023) trained one LSGAN per category; ours is one net that is told the category, as
all other methods here are, and unconditional within it: with a dozen objects per category, the others teach it what
the material looks like. And the picture is a window of ``size`` pixels, not a photograph, because ours differ in size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ....engine.ema import follow, painting_net
from ....engine.task import Losses, Update
from ....nets.noise_generator import NoiseGenerator, WindowDiscriminator
from ...interface.task import opposed
from ...pairs.windows import Batch
from ..adversaries import ADVERSARIES, Adversary
from ..config import TaskSetup, TrainConfig
from ..painting.networks import make_ready, opponents
from .config import NoiseConfig

LATENT = 64
"""Length of the latent vector; the first numbers of a batch's noise maps."""
WIDER = 2
"""One discriminator stands here for Anomaly-GAN's four of two subnets each: its layers are wider by this factor."""


@dataclass
class Outputs:
    """The batch and what the generator made of its noise: pictures and masks, both in [-1, 1]."""

    batch: Batch
    fake_BCHW: Tensor
    fake_mask_B1HW: Tensor


class NoiseTask:
    """``nets``: generator, discriminator, and ``average`` (EMA of the generator)."""

    def __init__(
        self,
        nets: dict[str, nn.Module],
        adversary: Adversary,
        optimizers: dict[str, Optimizer],
        channels: int,
        ema: float,
    ) -> None:
        self.nets, self.adversary, self.optimizers = nets, adversary, optimizers
        self.channels, self.ema = channels, ema

    def forward(self, batch: Batch) -> Outputs:
        return self.make(self.nets["generator"], batch)

    def make(self, generator: nn.Module, batch: Batch) -> Outputs:
        """Pictures from noise at the categories and, for CGAN, the masks of the batch's real defects."""
        z = batch.noise_B2HW[:, 0].flatten(1)[:, :LATENT]
        picture, mask = split_picture(generator(z, batch.category_B, batch.abnormal_mask_B1HW), self.channels)
        return Outputs(batch, picture, batch.abnormal_mask_B1HW * 2 - 1 if mask is None else mask)

    def previews(self, batch: Batch) -> dict[str, Tensor]:
        out = self.make(self.products()["generator"], batch)
        return {
            "mask": out.fake_mask_B1HW,
            "generated": out.fake_BCHW,
            "real mask": batch.abnormal_mask_B1HW * 2 - 1,
            "real": batch.abnormal_BCHW,
        }

    def products(self) -> dict[str, nn.Module]:
        return {"generator": painting_net(self.nets)}

    def updates(self) -> list[Update]:
        return opposed(self, (self.nets["discriminator"],))

    def generator_losses(self, out: Outputs) -> Losses:
        scores = self.nets["discriminator"](out.fake_BCHW, out.fake_mask_B1HW, out.batch.category_B)
        return {"adversarial": self.adversary.g1(scores)}

    def discriminator_losses(self, out: Outputs) -> Losses:
        """Real and generated windows are judged apart: under batch norm a joint batch tells them by its statistics."""
        batch, discriminator = out.batch, self.nets["discriminator"]
        real = discriminator(batch.abnormal_BCHW, batch.abnormal_mask_B1HW * 2 - 1, batch.category_B)
        fake = discriminator(out.fake_BCHW.detach(), out.fake_mask_B1HW.detach(), batch.category_B)
        return {"adversarial": self.adversary.d1(real, fake)}

    def after_step(self, step: int) -> None:
        follow(self.nets, self.ema, step)


def split_picture(made_BCHW: Tensor, channels: int) -> tuple[Tensor, Tensor | None]:
    """The picture and, where the generator makes one, its mask."""
    mask = made_BCHW[:, channels:]
    return made_BCHW[:, :channels], mask if mask.shape[1] else None


def build_noise_generator(config: TrainConfig, channels: int, categories: int, masked: bool) -> NoiseGenerator:
    """CGAN's generator (``masked``), or LSGAN's with the mask as one more channel."""
    return NoiseGenerator(
        channels if masked else channels + 1, categories, config.size, LATENT, config.nets.base_width, masked
    )


def build_cgan(setup: TaskSetup) -> NoiseTask:
    """Mirza & Osindero's eq. 2 with cross entropy, the condition mask and category."""
    return _build(setup, "bce", masked=True)


def build_lsgan(setup: TaskSetup) -> NoiseTask:
    """Mao et al.'s eq. 9 with least squares, on picture and mask together."""
    return _build(setup, "lsgan", masked=False)


def _build(setup: TaskSetup, adversarial: str, masked: bool) -> NoiseTask:
    config, channels, categories = setup.config, setup.channels, setup.categories
    torch.manual_seed(setup.seed % 2**32)
    nets: dict[str, nn.Module] = {
        "generator": build_noise_generator(config, channels, categories, masked),
        "discriminator": WindowDiscriminator(
            channels,
            categories,
            config.size,
            tuple(WIDER * width for width in config.nets.widths),
            config.own(NoiseConfig).discriminator_norm,
        ),
    }
    make_ready(nets, config, setup.device)
    return NoiseTask(nets, ADVERSARIES[adversarial], opponents(nets, config), channels, config.ema)
