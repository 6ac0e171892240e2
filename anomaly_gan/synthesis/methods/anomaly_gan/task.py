"""Anomaly-GAN as a Task: two generators, four discriminators, a frozen aware network, two cycles.

Paper: Liu et al. 2023, sections 4.2 and 4.3. Cycle a: normal -> G -> abnormal -> H -> normal, with a pool mask;
cycle b: abnormal -> H -> normal -> G -> abnormal, with the real defect's own mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ....engine.distributed import over_ranks
from ....engine.ema import follow, painting_net
from ....engine.task import Losses, Update
from ....losses.adversarial import r1
from ....losses.aware import semantic_difference, semantic_moments
from ....losses.cycle import cycle_l1
from ....losses.mode_seeking import mode_seeking
from ....losses.severity import reachable, severity
from ....nets.augment import AugmentPolicy, augment_pair, draw_augment
from ....nets.crops import crop_resize, mask_boxes, masked_crops
from ...interface.task import cycle_previews, opposed
from ...pairs.compositing import Painter
from ...pairs.windows import Batch
from ..adversaries import Adversary
from .consistency import Consistency


@dataclass(frozen=True)
class Weights:
    """Weights of the generators' terms (eq. 8, and our own: inside, severity, mismatch, paired, mode_seeking)."""

    lambda_1: float = 0.3
    cycle: float = 1.0
    inside: float = 1.0
    aware: float = 1.0
    severity: float = 0.0
    mismatch: float = 0.0
    paired: float = 0.0
    mode_seeking: float = 0.0


@dataclass(frozen=True)
class Discrimination:
    """What keeps the discriminators from memorising a few photographs, all of it off by default.

    ``r1``: gamma of the R1 penalty (Mescheder et al. 2018) on what each discriminator sees of real photographs, taken
    every ``r1_every`` steps and then that much heavier (Karras et al. 2020, "Analyzing and improving StyleGAN",
    appendix B). ``augment``: real and generated pictures are shown moved and brightened, their masks with them.
    """

    r1: float = 0.0
    r1_every: int = 1
    augment: AugmentPolicy | None = None


@dataclass
class Outputs:
    """Everything the losses look at. Generated and reconstructed images have separate names."""

    batch: Batch
    target_B2: Tensor
    fake_abnormal: Tensor
    rebuilt_normal: Tensor
    fake_normal: Tensor
    rebuilt_abnormal: Tensor
    repainted_abnormal: Tensor | None = None
    second_abnormal: Tensor | None = None


AWARE: dict[str, Callable[..., Tensor]] = {
    "moments": semantic_moments,
    "positions": semantic_difference,
    # The ablation of Table 1: no features, the pixels of the two crops themselves.
    "pixels": partial(semantic_difference, kind="l2"),
}
"""How generated and real crops are compared; see ``TrainConfig.aware_compare``."""
MODE_FLOOR = 0.05
"""Added to the difference of two paintings in [-1, 1]. Deviation: 1e-5 in Mao et al. 2019, whose gradient explodes
while a young generator does not look at its noise yet."""


class AnomalyGanTask:
    """``nets``: generator, restorer, d1_abnormal, d2_abnormal, d1_normal, d2_normal, aware, ``average`` (EMA), and
    ``segmenter`` where there is a ``consistency``. ``local_size``: None where discriminators see whole pictures only.
    """

    def __init__(
        self,
        nets: dict[str, nn.Module],
        painter: Painter,
        adversary: Adversary,
        weights: Weights,
        optimizers: dict[str, Optimizer],
        local_size: int | None,
        aware_size: int,
        masked_local: bool,
        ema: float,
        discriminate_apart: bool = False,
        aware_compare: str = "positions",
        discrimination: Discrimination = Discrimination(),
        consistency: Consistency | None = None,
    ) -> None:
        self.nets, self.painter, self.adversary, self.weights = nets, painter, adversary, weights
        self.optimizers, self.local_size, self.aware_size = optimizers, local_size, aware_size
        self.masked_local, self.ema, self.discriminate_apart = masked_local, ema, discriminate_apart
        self.aware_compare, self.discrimination, self.consistency = aware_compare, discrimination, consistency
        self.discriminators = tuple(nets[name] for name in DISCRIMINATORS)

    def forward(self, batch: Batch) -> Outputs:
        """Both cycles once; the same mask goes through the whole of a cycle."""
        with torch.no_grad():
            measured = severity(batch.abnormal_BCHW, batch.abnormal_mask_B1HW)
            target = reachable(measured, batch.normal_BCHW, batch.normal_mask_B1HW)
        own = batch.own_exemplar_BCHW
        fake_abnormal = self.damage(batch.normal_BCHW, batch.normal_mask_B1HW, batch, target, batch.exemplar_BCHW)
        rebuilt_normal = self.restore(fake_abnormal, batch.normal_mask_B1HW, batch)
        fake_normal = self.restore(batch.abnormal_BCHW, batch.abnormal_mask_B1HW, batch)
        rebuilt_abnormal = self.damage(fake_normal, batch.abnormal_mask_B1HW, batch, measured, own)
        repainted = None
        if self.weights.paired:
            repainted = self.damage(batch.painted_out_BCHW, batch.abnormal_mask_B1HW, batch, measured, own)
        second = None
        if self.weights.mode_seeking:
            second = self.damage(
                batch.normal_BCHW, batch.normal_mask_B1HW, other_noise(batch), target, batch.exemplar_BCHW
            )
        return Outputs(batch, target, fake_abnormal, rebuilt_normal, fake_normal, rebuilt_abnormal, repainted, second)

    def previews(self, batch: Batch) -> dict[str, Tensor]:
        out = self.forward(batch)
        return cycle_previews(batch, out.fake_abnormal, out.fake_normal)

    def products(self) -> dict[str, nn.Module]:
        return {"generator": painting_net(self.nets), "restorer": self.nets["restorer"]}

    def damage(
        self, images: Tensor, mask: Tensor, batch: Batch, target_B2: Tensor, exemplar: Tensor | None = None
    ) -> Tensor:
        """G: normal to abnormal."""
        maps = [self.painter.mask_maps(mask, batch.category_B)]
        if self.painter.controls:
            maps.append(self.painter.control_maps(mask, target_B2, batch.noise_B2HW))
        return self.painter.paint(self.nets["generator"], images, mask, torch.cat(maps, dim=1), exemplar)

    def restore(self, images: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """H: abnormal to normal."""
        maps = self.painter.mask_maps(mask, batch.category_B)
        return self.painter.restorer.paint(self.nets["restorer"], images, mask, maps)

    def discriminate(self, name: str, images: Tensor, mask: Tensor, category_B: Tensor) -> Tensor:
        """Logits (B, 1) of a discriminator on the photograph and its crop around the mask."""
        return self.nets[name](*self.views(images, mask, category_B))

    def views(self, images: Tensor, mask: Tensor, category_B: Tensor) -> tuple[Tensor, ...]:
        """What a discriminator sees: the crop around the mask (unless it is global), and the photograph.

        The conditional discriminator sees the mask maps beside the pixels, so a defect beside its mask is a fake.
        Where pictures are augmented, the mask goes with its picture.
        """
        if self.discrimination.augment is not None:
            draw = draw_augment(len(images), images.shape[-1], self.discrimination.augment, device=images.device)
            images, mask = augment_pair(images, mask, draw)
        shown = images
        if self.painter.categories:
            shown = torch.cat([images, self.painter.mask_maps(mask, category_B)], dim=1)
        if self.local_size is None:
            return (shown,)
        if self.masked_local:
            local = masked_crops(shown, mask, self.local_size)
        else:
            local = crop_resize(shown, mask_boxes(mask, margin=0.25), self.local_size)
        return local, shown

    def updates(self) -> list[Update]:
        """The generators', the discriminators', and theirs who are switched on."""
        discriminators = self.optimizers["discriminators"]
        if self.consistency is None:
            updates = opposed(self, self.discriminators)
        else:
            updates = opposed(self, (*self.discriminators, self.consistency.net))
            updates.append(Update("segmenter", self.consistency.optimizer, self.segmenter_losses))
        if self.discrimination.r1:
            updates.append(Update("r1", discriminators, self.r1_losses, every=self.discrimination.r1_every))
        return updates

    def generator_losses(self, out: Outputs) -> Losses:
        """Eq. 2 to 8 from the generators' side, weighted."""
        batch, w = out.batch, self.weights
        losses: Losses = {}
        for side, fake, mask in (
            ("abnormal", out.fake_abnormal, batch.normal_mask_B1HW),
            ("normal", out.fake_normal, batch.abnormal_mask_B1HW),
        ):
            losses[f"adv1_{side}"] = self.adversary.g1(self.discriminate(f"d1_{side}", fake, mask, batch.category_B))
            losses[f"adv2_{side}"] = w.lambda_1 * self.adversary.g2(
                self.discriminate(f"d2_{side}", fake, mask, batch.category_B)
            )
        losses["cycle_normal"] = w.cycle * self._cycle(batch.normal_BCHW, out.rebuilt_normal, batch.normal_mask_B1HW)
        losses["cycle_abnormal"] = w.cycle * self._cycle(
            batch.abnormal_BCHW, out.rebuilt_abnormal, batch.abnormal_mask_B1HW
        )
        if w.aware:
            losses["aware_abnormal"] = w.aware * self._aware(
                out.fake_abnormal, batch.normal_mask_B1HW, batch.abnormal_BCHW, batch.abnormal_mask_B1HW
            )
            losses["aware_normal"] = w.aware * self._aware(
                out.fake_normal, batch.abnormal_mask_B1HW, batch.normal_BCHW, batch.normal_mask_B1HW
            )
        if w.severity:
            met = severity(out.fake_abnormal, batch.normal_mask_B1HW)
            losses["severity"] = w.severity * (met - out.target_B2).abs().mean()
        if out.repainted_abnormal is not None:
            losses |= self._paired(out, out.repainted_abnormal)
        if out.second_abnormal is not None:
            losses["mode_seeking"] = w.mode_seeking * self._alike(out, out.second_abnormal)
        if self.consistency is not None:
            losses["consistency"] = self.consistency.ask(out.fake_abnormal, batch.normal_mask_B1HW, batch.category_B)
        return losses

    def _alike(self, out: Outputs, second: Tensor) -> Tensor:
        """Mode seeking inside the mask: one mask painted with two noises must differ where it is painted."""
        mask = out.batch.normal_mask_B1HW
        inside = mask / mask.mean((1, 2, 3), keepdim=True).clamp_min(1e-6)
        first, other = out.batch.noise_B2HW, other_noise(out.batch).noise_B2HW
        return mode_seeking(first * inside, other * inside, out.fake_abnormal * inside, second * inside, MODE_FLOOR)

    def _paired(self, out: Outputs, repainted: Tensor) -> Losses:
        """Pseudo-pairs: the defect painted out by inpainting is put back, and H must do what inpainting did.

        Not in the paper, whose cycle lets H leave a ghost of the defect from which G rebuilds it. Here the two
        pictures are registered, so the aware features may be compared position by position.
        """
        batch, w, aware = out.batch, self.weights.paired, self.nets["aware"]
        mask = batch.abnormal_mask_B1HW
        with torch.no_grad():
            wanted = aware(masked_crops(batch.abnormal_BCHW, mask, self.aware_size))
        features = semantic_difference(aware(masked_crops(repainted, mask, self.aware_size)), wanted)
        return {
            "paired_abnormal": w * self._cycle(batch.abnormal_BCHW, repainted, mask),
            "paired_features": w * features,
            "paired_normal": w * self._cycle(batch.painted_out_BCHW, out.fake_normal, mask),
        }

    def discriminator_losses(self, out: Outputs) -> Losses:
        """Eq. 2 to 5 from the discriminators' side; mismatched image-mask pairs count as fakes for D1_abnormal."""
        batch, w = out.batch, self.weights
        losses: Losses = {}
        for side, real, real_mask, fake, fake_mask in (
            ("abnormal", batch.abnormal_BCHW, batch.abnormal_mask_B1HW, out.fake_abnormal, batch.normal_mask_B1HW),
            ("normal", batch.normal_BCHW, batch.normal_mask_B1HW, out.fake_normal, batch.abnormal_mask_B1HW),
        ):
            for name, loss in ((f"d1_{side}", self.adversary.d1), (f"d2_{side}", self.adversary.d2)):
                losses[name] = loss(
                    *self._discriminate_both(name, real, real_mask, fake.detach(), fake_mask, batch.category_B)
                )
        if w.mismatch:
            wrong = self.discriminate(
                "d1_abnormal", batch.abnormal_BCHW, batch.rolled("abnormal_mask_B1HW"), batch.category_B
            )
            losses["mismatch"] = w.mismatch * self.adversary.reject(wrong)
        return losses

    def r1_losses(self, out: Outputs) -> Losses:
        """gamma / 2 times R1 of every discriminator at the real photographs, in full precision under any autocast."""
        batch, weight = out.batch, 0.5 * self.discrimination.r1 * self.discrimination.r1_every
        losses: Losses = {}
        with torch.autocast(batch.normal_BCHW.device.type, enabled=False):
            for side, real, mask in (
                ("abnormal", batch.abnormal_BCHW, batch.abnormal_mask_B1HW),
                ("normal", batch.normal_BCHW, batch.normal_mask_B1HW),
            ):
                for name in (f"d1_{side}", f"d2_{side}"):
                    seen = [view.detach().float().requires_grad_() for view in self.views(real, mask, batch.category_B)]
                    losses[name] = weight * r1(self.nets[name](*seen), seen)
        return losses

    def segmenter_losses(self, out: Outputs) -> Losses:
        assert self.consistency is not None
        return self.consistency.learn(out.batch)

    def _discriminate_both(
        self, name: str, real: Tensor, real_mask: Tensor, fake: Tensor, fake_mask: Tensor, category_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of real and generated images, in one call where that is faster and changes nothing.

        Under batch norm it would: the statistics of a joint batch tell fakes from real, and the generators'
        update, which shows fakes alone, never has them.
        """
        if self.discriminate_apart:
            return self.discriminate(name, real, real_mask, category_B), self.discriminate(
                name, fake, fake_mask, category_B
            )
        logits = self.discriminate(
            name, torch.cat([real, fake]), torch.cat([real_mask, fake_mask]), category_B.repeat(2)
        )
        return logits[: len(real)], logits[len(real) :]

    def after_step(self, step: int) -> None:
        follow(self.nets, self.ema, step)

    def _cycle(self, image: Tensor, rebuilt: Tensor, mask: Tensor) -> Tensor:
        weight_map = None if self.weights.inside == 1 else 1 + (self.weights.inside - 1) * mask
        return cycle_l1(image, rebuilt, weight_map, over_ranks)

    def _aware(self, fake: Tensor, fake_mask: Tensor, real: Tensor, real_mask: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._looked_at(real, real_mask)
        return AWARE[self.aware_compare](self._looked_at(fake, fake_mask), wanted)

    def _looked_at(self, images: Tensor, mask: Tensor) -> list[Tensor]:
        """What the aware loss compares: features of the masked crops, or the crops themselves."""
        crops = masked_crops(images, mask, self.aware_size)
        return [crops] if self.aware_compare == "pixels" else self.nets["aware"](crops)


def other_noise(batch: Batch) -> Batch:
    """The batch with each row's noise taken from its neighbour: a second draw without drawing."""
    return replace(batch, noise_B2HW=batch.rolled("noise_B2HW"))


DISCRIMINATORS = ("d1_abnormal", "d2_abnormal", "d1_normal", "d2_normal")
