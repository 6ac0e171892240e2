"""pix2pix as a Task (Isola et al. 2017): a photograph without its defect, and the mask, to the defect's photograph.

Eq. 1 (the conditional GAN; here non-saturating), eq. 3 (L1, weight 100 of eq. 4), a PatchGAN that sees condition and
picture together, dropout as the only noise, while training and while painting.

Nobody photographs one part with and without its defect, so a pair is a real defect's photograph and the same with the
defect inpainted (``windows.paint_out``).

Deviations: batches, nets, optimiser and weight averaging are those of Anomaly-GAN here, so that arms differ by method
alone; one net paints all categories, told which by one mask channel each (published use: one net per category); the
net's output is added to the photograph (published: it is the photograph).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ....engine.ema import follow, painting_net
from ....engine.task import Losses, Update
from ....losses.cycle import cycle_l1
from ....nets.patch import PatchDiscriminator, layers_for
from ...interface.task import opposed
from ...pairs.compositing import Painter
from ...pairs.windows import Batch
from ..adversaries import ADVERSARIES, Adversary
from ..config import TaskSetup
from ..painting.networks import build_generator, build_painter, make_ready, opponents
from .config import Pix2PixConfig


@dataclass
class Outputs:
    """The condition (photograph without the defect, mask maps) and what was painted on it, in [-1, 1]."""

    batch: Batch
    condition: Tensor
    repainted: Tensor


class PairedTask:
    """``nets``: generator, discriminator, and ``average`` (EMA of the generator)."""

    def __init__(
        self,
        nets: dict[str, nn.Module],
        painter: Painter,
        adversary: Adversary,
        l1: float,
        optimizers: dict[str, Optimizer],
        ema: float,
    ) -> None:
        self.nets, self.painter, self.adversary = nets, painter, adversary
        self.l1, self.optimizers, self.ema = l1, optimizers, ema

    def forward(self, batch: Batch) -> Outputs:
        maps = self.painter.mask_maps(batch.abnormal_mask_B1HW, batch.category_B)
        repainted = self.painter.paint(self.nets["generator"], batch.painted_out_BCHW, batch.abnormal_mask_B1HW, maps)
        return Outputs(batch, torch.cat([batch.painted_out_BCHW, maps], dim=1), repainted)

    def updates(self) -> list[Update]:
        return opposed(self, (self.nets["discriminator"],))

    def generator_losses(self, out: Outputs) -> Losses:
        """Eq. 4 from the generator's side."""
        return {
            "adversarial": self.adversary.g1(self.discriminate(out.condition, out.repainted)),
            "l1": self.l1 * cycle_l1(out.batch.abnormal_BCHW, out.repainted),
        }

    def discriminator_losses(self, out: Outputs) -> Losses:
        """Half of eq. 1 (section 3.3: the half slows the discriminator); real and fake apart, as batch norm asks."""
        return {
            "adversarial": 0.5
            * self.adversary.d1(
                self.discriminate(out.condition, out.batch.abnormal_BCHW),
                self.discriminate(out.condition, out.repainted.detach()),
            )
        }

    def discriminate(self, condition: Tensor, pictures: Tensor) -> Tensor:
        """Logits_B1HW of the patches of condition and picture."""
        return self.nets["discriminator"](torch.cat([condition, pictures], dim=1))

    def previews(self, batch: Batch) -> dict[str, Tensor]:
        maps = self.painter.mask_maps(batch.normal_mask_B1HW, batch.category_B)
        generated = self.painter.paint(self.products()["generator"], batch.normal_BCHW, batch.normal_mask_B1HW, maps)
        return {
            "normal": batch.normal_BCHW,
            "mask": batch.normal_mask_B1HW * 2 - 1,
            "generated": generated,
            "real": batch.abnormal_BCHW,
            "painted out": batch.painted_out_BCHW,
            "repainted": self.forward(batch).repainted,
        }

    def products(self) -> dict[str, nn.Module]:
        return {"generator": painting_net(self.nets)}

    def after_step(self, step: int) -> None:
        follow(self.nets, self.ema, step)


def build_pix2pix(setup: TaskSetup) -> PairedTask:
    """Cross entropy, as in eq. 1."""
    config, channels, categories = setup.config, setup.channels, setup.categories
    recipe = config.own(Pix2PixConfig)
    torch.manual_seed(setup.seed % 2**32)
    painter = build_painter(config, categories)
    seen = 2 * channels + painter.extra_channels(False, channels)
    nets: dict[str, nn.Module] = {
        "generator": build_generator(config, channels, categories),
        "discriminator": PatchDiscriminator(
            seen, layers_for(config.size), config.nets.patch_width, recipe.discriminator_norm
        ),
    }
    make_ready(nets, config, setup.device)
    return PairedTask(nets, painter, ADVERSARIES["bce"], recipe.l1, opponents(nets, config), config.ema)
