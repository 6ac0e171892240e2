"""Losses and scores of the GANomaly family: pure functions, weights outside.

Akcay et al., "GANomaly", ACCV 2018, and "Skip-GANomaly", IJCNN 2019. The adversarial terms on logits are
``anomaly_gan.losses.adversarial``'s.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def contextual_loss(again_BCHW: Tensor, x_BCHW: Tensor) -> Tensor:
    """Mean absolute error of the reconstruction (GANomaly eq. 2, Skip-GANomaly eq. 3)."""
    return F.l1_loss(again_BCHW.float(), x_BCHW.float())


def feature_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Mean squared distance of two feature or latent tensors of one shape (GANomaly eq. 1, 3; Skip-GANomaly eq. 4)."""
    return F.mse_loss(fake.float(), real.float())


def squared_distance(first: Tensor, second: Tensor) -> Tensor:
    """(B,): mean squared difference of each pair, over all its entries (both halves of Skip-GANomaly eq. 6)."""
    return (first.float() - second.float()).square().flatten(1).mean(dim=1)


def blended(reconstruction_B: Tensor, features_B: Tensor, share: float) -> Tensor:
    """(1 - share) * reconstruction + share * features (Skip-GANomaly eq. 6 with lambda = 1 - share = 0.9)."""
    return (1 - share) * reconstruction_B + share * features_B


def to_unit(scores_N: Tensor) -> Tensor:
    """Scores scaled by the least and the greatest of all given (Skip-GANomaly eq. 7): a leak where these are the test
    set's, so only for published figures. Equal scores give zeros."""
    least, greatest = scores_N.min(), scores_N.max()
    return (scores_N - least) / (greatest - least).clamp_min(1e-12)
