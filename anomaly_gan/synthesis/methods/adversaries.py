"""The adversarial losses that a method can be built with, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ...losses import adversarial


@dataclass(frozen=True)
class Adversary:
    """The four adversarial functions on logits: for D1 and D2, the discriminator's side and the generator's;
    ``reject`` is D1's side for fakes alone."""

    d1: Callable[[Tensor, Tensor], Tensor]
    g1: Callable[[Tensor], Tensor]
    d2: Callable[[Tensor, Tensor], Tensor]
    g2: Callable[[Tensor], Tensor]
    reject: Callable[[Tensor], Tensor]


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
