"""Adversarial losses on logits. Each is a scalar to be minimised; expectations are means over the batch.

D1 scores real images high; D2 is the second discriminator of D2GAN (Nguyen et al. 2017), which scores *generated*
images high (Liu et al. 2023, eq. 2-5). The weight lambda_1 of D2 lies outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F


def bce_d(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """-log D1(real) - log(1 - D1(fake)) with D1 = sigmoid(logit): the negative of eq. 2."""
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


def bce_g(fake_logits: torch.Tensor) -> torch.Tensor:
    """-log D1(fake).

    Deviation: the non-saturating form (Goodfellow et al. 2014) of eq. 2's log(1 - D1(fake)), whose gradient dies
    where the discriminator is sure.
    """
    return F.softplus(-fake_logits.float()).mean()


def bce_d2(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """-log D2(fake) - log(1 - D2(real)): the negative of eq. 3; D1's loss with the labels flipped."""
    return bce_d(fake_logits, real_logits)


def bce_g2(fake_logits: torch.Tensor) -> torch.Tensor:
    """-log(1 - D2(fake)).

    Deviation: non-saturating form of eq. 3's log D2(fake), as for D1; the generator lowers D2's score of its images.
    """
    return F.softplus(fake_logits.float()).mean()


def hinge_d(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """max(0, 1 - real) + max(0, 1 + fake) (Lim & Ye 2017)."""
    return F.relu(1 - real_logits.float()).mean() + F.relu(1 + fake_logits.float()).mean()


def hinge_g(fake_logits: torch.Tensor) -> torch.Tensor:
    """-fake: the generator's side of ``hinge_d``."""
    return -fake_logits.float().mean()


def hinge_d2(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """``hinge_d`` with the labels flipped: generated images score high."""
    return hinge_d(fake_logits, real_logits)


def hinge_g2(fake_logits: torch.Tensor) -> torch.Tensor:
    """The generator's side of ``hinge_d2``: lower the score of its images."""
    return fake_logits.float().mean()


def lsgan_d(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """((D(x) - 1)^2 + D(fake)^2) / 2 on scores without a sigmoid (Mao et al. 2017, eq. 9: a = 0, b = c = 1)."""
    return ((real_logits.float() - 1).square().mean() + fake_logits.float().square().mean()) / 2


def lsgan_g(fake_logits: torch.Tensor) -> torch.Tensor:
    """(D(fake) - 1)^2: the generator's side of ``lsgan_d``.

    Deviation: without eq. 9's factor 1/2, as in CycleGAN (section 4), whose weights are relative to this.
    """
    return (fake_logits.float() - 1).square().mean()


def lsgan_d2(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """``lsgan_d`` with the labels flipped: generated images score high."""
    return lsgan_d(fake_logits, real_logits)


def lsgan_g2(fake_logits: torch.Tensor) -> torch.Tensor:
    """D(fake)^2: the generator's side of ``lsgan_d2``."""
    return fake_logits.float().square().mean()


def _log_softplus(logits: torch.Tensor) -> torch.Tensor:
    """log(softplus(x)); below -15 it is x to float32's precision, where softplus itself would round to 0."""
    low = logits < -15
    return torch.where(low, logits, F.softplus(logits.masked_fill(low, 0.0)).log())


def d2gan_d1(real_logits: torch.Tensor, fake_logits: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """-alpha log D1(real) + D1(fake) with D1 = softplus(logit) > 0 (Nguyen et al. 2017, eq. 1)."""
    return -alpha * _log_softplus(real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


def d2gan_d2(real_logits: torch.Tensor, fake_logits: torch.Tensor, beta: float = 1.0) -> torch.Tensor:
    """D2(real) - beta log D2(fake) with D2 = softplus(logit) > 0 (Nguyen et al. 2017, eq. 1)."""
    return F.softplus(real_logits.float()).mean() - beta * _log_softplus(fake_logits.float()).mean()


def d2gan_g1(fake_logits: torch.Tensor) -> torch.Tensor:
    """-D1(fake): the generator's side of ``d2gan_d1``; unbounded below."""
    return -F.softplus(fake_logits.float()).mean()


def d2gan_g2(fake_logits: torch.Tensor) -> torch.Tensor:
    """log D2(fake): the generator's side of ``d2gan_d2`` (times beta, outside)."""
    return _log_softplus(fake_logits.float()).mean()


def r1(real_logits: torch.Tensor, real_inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean over the batch of the squared gradient norm of D at the real inputs (Mescheder et al. 2018).

    The weight gamma / 2 lies outside.
    ``real_inputs`` are all inputs of the discriminator (crop and image), each with ``requires_grad``.
    """
    gradients = torch.autograd.grad(real_logits.float().sum(), list(real_inputs), create_graph=True)
    return torch.stack([gradient.float().square().flatten(1).sum(1) for gradient in gradients]).sum(0).mean()
