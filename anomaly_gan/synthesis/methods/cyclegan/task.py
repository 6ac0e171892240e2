"""CycleGAN, and the reading of FD-Cycle-GAN that is ours, as a Task; the mask is an input beside the photograph.

CycleGAN (Zhu et al. 2017): G normal -> abnormal, H abnormal -> normal, a PatchGAN on each side that sees plain
images; eq. 1 with least squares (section 4), eq. 2 (cycle, weight 10), and the identity loss of section 5.2 (weight
half the cycle's); a history of 50 generated images for the discriminators.

FD-Cycle-GAN: "Four discriminator cycle-consistent adversarial network for improving railway defective fastener
inspection" (Liu et al. 2021, which the text of Anomaly-GAN's paper cites; its tables cite Su et al. 2022 for it).
Deviation: only the title and the number of discriminators are known to us, not the paper's equations. We read it as
CycleGAN with a second discriminator on each side, the pair playing D2GAN's game (Nguyen et al. 2017, eq. 1): the known
way to give one generator two discriminators. What else the paper does, it does without us.

Deviations of both: batches, nets, optimiser and weight averaging are those of Anomaly-GAN here, so that arms differ by
method alone; one net paints all categories, told which by one mask channel each (published: one net per category);
the net's output is added to the photograph (published: it is the photograph).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ....engine.ema import follow, painting_net
from ....engine.task import Losses, Update
from ....losses.cycle import cycle_l1
from ....nets.image_pool import ImageHistory
from ....nets.patch import PatchDiscriminator, layers_for
from ...interface.task import cycle_previews, opposed
from ...pairs.compositing import Painter
from ...pairs.windows import Batch
from ..adversaries import ADVERSARIES, Adversary
from ..config import TaskSetup
from ..painting.networks import adamw, build_generator, build_painter, make_ready
from .config import CycleGanConfig, FdCycleGanConfig

HISTORY = 50


@dataclass
class Outputs:
    """Generated, rebuilt and (through the net of their own side) unchanged images, in [-1, 1]."""

    batch: Batch
    fake_abnormal: Tensor
    rebuilt_normal: Tensor
    fake_normal: Tensor
    rebuilt_abnormal: Tensor
    same_abnormal: Tensor | None
    same_normal: Tensor | None


class UnpairedTask:
    """``nets``: generator, restorer, a discriminator ``d1_SIDE`` and a history for each side, ``d2_SIDE`` where the
    method has four discriminators, and ``average`` (EMA of the generator)."""

    def __init__(
        self,
        nets: dict[str, nn.Module],
        painter: Painter,
        adversary: Adversary,
        cycle: float,
        identity: float,
        second: float,
        optimizers: dict[str, Optimizer],
        ema: float,
    ) -> None:
        self.nets, self.painter, self.adversary, self.optimizers, self.ema = nets, painter, adversary, optimizers, ema
        self.cycle, self.identity, self.second = cycle, identity, second
        self.discriminators = tuple(net for name, net in nets.items() if name.startswith(("d1_", "d2_")))

    def forward(self, batch: Batch) -> Outputs:
        normal, pool_mask = batch.normal_BCHW, batch.normal_mask_B1HW
        abnormal, own_mask = batch.abnormal_BCHW, batch.abnormal_mask_B1HW
        fake_abnormal = self._paint("generator", normal, pool_mask, batch)
        fake_normal = self._paint("restorer", abnormal, own_mask, batch)
        same = (
            (self._paint("generator", abnormal, own_mask, batch), self._paint("restorer", normal, pool_mask, batch))
            if self.identity
            else (None, None)
        )
        return Outputs(
            batch,
            fake_abnormal,
            self._paint("restorer", fake_abnormal, pool_mask, batch),
            fake_normal,
            self._paint("generator", fake_normal, own_mask, batch),
            *same,
        )

    def _paint(self, name: str, images: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        return self.painter.paint(self.nets[name], images, mask, self.painter.mask_maps(mask, batch.category_B))

    def updates(self) -> list[Update]:
        return opposed(self, self.discriminators)

    def generator_losses(self, out: Outputs) -> Losses:
        """Zhu et al. 2017, eq. 3 from the generators' side, and the identity loss."""
        batch = out.batch
        losses: Losses = {}
        for side, fake in (("abnormal", out.fake_abnormal), ("normal", out.fake_normal)):
            losses[f"adv1_{side}"] = self.adversary.g1(self.nets[f"d1_{side}"](fake))
            if self.second:
                losses[f"adv2_{side}"] = self.second * self.adversary.g2(self.nets[f"d2_{side}"](fake))
        losses["cycle_normal"] = self.cycle * cycle_l1(batch.normal_BCHW, out.rebuilt_normal)
        losses["cycle_abnormal"] = self.cycle * cycle_l1(batch.abnormal_BCHW, out.rebuilt_abnormal)
        if out.same_abnormal is not None and out.same_normal is not None:
            losses["identity_abnormal"] = self.identity * cycle_l1(batch.abnormal_BCHW, out.same_abnormal)
            losses["identity_normal"] = self.identity * cycle_l1(batch.normal_BCHW, out.same_normal)
        return losses

    def discriminator_losses(self, out: Outputs) -> Losses:
        """The discriminators' side, on a history of generated images."""
        losses: Losses = {}
        for side, real, fake in (
            ("abnormal", out.batch.abnormal_BCHW, out.fake_abnormal),
            ("normal", out.batch.normal_BCHW, out.fake_normal),
        ):
            history = self.nets[f"history_{side}"]
            assert isinstance(history, ImageHistory)
            shown = history.swap(fake.float())
            discriminator = self.nets[f"d1_{side}"]
            losses[f"d1_{side}"] = self.adversary.d1(discriminator(real), discriminator(shown))
            if self.second:
                discriminator = self.nets[f"d2_{side}"]
                losses[f"d2_{side}"] = self.adversary.d2(discriminator(real), discriminator(shown))
        return losses

    def previews(self, batch: Batch) -> dict[str, Tensor]:
        out = self.forward(batch)
        return cycle_previews(batch, out.fake_abnormal, out.fake_normal)

    def products(self) -> dict[str, nn.Module]:
        return {"generator": painting_net(self.nets)}

    def after_step(self, step: int) -> None:
        follow(self.nets, self.ema, step)


def build_cyclegan(setup: TaskSetup) -> UnpairedTask:
    """Two discriminators."""
    return _build(setup, ("d1_abnormal", "d1_normal"), "lsgan", 0.0)


def build_fd_cyclegan(setup: TaskSetup) -> UnpairedTask:
    """Four; ``lambda_1`` weighs the second pair in the generators' objective."""
    names = ("d1_abnormal", "d1_normal", "d2_abnormal", "d2_normal")
    return _build(setup, names, "d2gan", setup.config.own(FdCycleGanConfig).lambda_1)


def _build(setup: TaskSetup, discriminators: tuple[str, ...], adversarial: str, second: float) -> UnpairedTask:
    config, channels, categories = setup.config, setup.channels, setup.categories
    recipe = config.own(CycleGanConfig)
    torch.manual_seed(setup.seed % 2**32)
    nets: dict[str, nn.Module] = {
        "generator": build_generator(config, channels, categories),
        "restorer": build_generator(config, channels, categories, steered=False),
        **{
            name: PatchDiscriminator(
                channels, layers_for(config.size), config.nets.patch_width, recipe.discriminator_norm
            )
            for name in discriminators
        },
    }
    make_ready(nets, config, setup.device)
    # after make_ready: a history holds images, not weights to be brought to another memory layout or averaged
    for side in ("abnormal", "normal"):
        nets[f"history_{side}"] = ImageHistory(HISTORY, channels, config.size).to(setup.device)
    optimizers: dict[str, Optimizer] = {
        "generators": adamw([nets["generator"], nets["restorer"]], config),
        "discriminators": adamw([nets[name] for name in discriminators], config),
    }
    return UnpairedTask(
        nets,
        build_painter(config, categories),
        ADVERSARIES[adversarial],
        recipe.cycle,
        recipe.identity,
        second,
        optimizers,
        config.ema,
    )
