"""The loss terms of CVGAD (Bian et al., IEEE Access 2019), unweighted. Images are float32 in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

K1, K2, SPAN = 0.01, 0.03, 2.0
CONSTANTS = {False: ((K1 * SPAN) ** 2, (K2 * SPAN) ** 2), True: (K1, K2)}
"""c1 and c2 of eq. 11, not literal and literal."""
LEAST_SSIM = 1e-3


def ssim(x_BCHW: Tensor, y_BCHW: Tensor, window: int, literal: bool = False) -> Tensor:
    """(B,) in [-1, 1]: eq. 11 on all window x window patches, mean over places and channels.

    Patches count every pixel alike. Deviation: the paper's "constants 0.01 and 0.03" are taken for K1 and K2 of Wang
    et al. 2004, c = (K span)², as they are meant there; ``literal`` takes them for c1 and c2.
    """
    c1, c2 = CONSTANTS[literal]

    def local(image: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(image, (window, 1), 1), (1, window), 1)

    mean_x, mean_y = local(x_BCHW), local(y_BCHW)
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    spreads = local(x_BCHW**2 + y_BCHW**2) - squares
    shared = local(x_BCHW * y_BCHW) - product
    values = (2 * product + c1) * (2 * shared + c2) / ((squares + c1) * (spreads + c2))
    return values.mean(dim=(1, 2, 3))


def structural_loss(x_BCHW: Tensor, y_BCHW: Tensor, window: int, literal: bool = False) -> Tensor:
    """(B,) -log SSIM of each image, in [0, 6.9]: SSIM may be 0 or less, so it counts as 0.001 at least."""
    return -ssim(x_BCHW, y_BCHW, window, literal).clamp_min(LEAST_SSIM).log()


def pixel_loss(x_BCHW: Tensor, y_BCHW: Tensor) -> Tensor:
    """(B,) mean absolute difference of each image."""
    return (x_BCHW - y_BCHW).abs().mean(dim=(1, 2, 3))


def latent_loss(z_BD: Tensor, log_var_BD: Tensor, log_kinds_BK: Tensor, means_KD: Tensor) -> Tensor:
    """(B,) E_{p(y|z)} log(p(z|x) / q(z|y)), summed over the code: the second term of eq. 4 with eq. 5.

    -1/2 (1 + log var) stands for the expectation of log p(z|x), whose constants cancel those of q.
    """
    to_means = (z_BD[:, None] - means_KD).square().sum(dim=2)
    return 0.5 * ((log_kinds_BK.exp() * to_means).sum(dim=1) - (1 + log_var_BD).sum(dim=1))


def categorical_loss(log_kinds_BK: Tensor) -> Tensor:
    """(B,) KL(p(y|z) || uniform) >= 0: the last, optional term of eq. 4."""
    return (log_kinds_BK.exp() * log_kinds_BK).sum(dim=1) + torch.tensor(float(log_kinds_BK.shape[1])).log()


def wasserstein_gap(real_B: Tensor, fake_B: Tensor) -> Tensor:
    """-mean D(x) + mean D(G(z)), what the critic lowers (eq. 13)."""
    return fake_B.float().mean() - real_B.float().mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real_BCHW: Tensor, fake_BCHW: Tensor, share_B: Tensor
) -> Tensor:
    """mean (||grad D|| - 1)² at share x + (1 - share) G(z) (eq. 14); ``share_B`` in [0, 1].

    Always in float32: a norm near 1 is not to be had from gradients of 8 bits.
    """
    with torch.autocast(device_type=real_BCHW.device.type, enabled=False):
        share = share_B.view(-1, 1, 1, 1)
        between = (share * real_BCHW + (1 - share) * fake_BCHW).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def negative_loss(outlier_level: Tensor, normal_level: Tensor, margin: float) -> Tensor:
    """max(0, normal + margin - outlier): raises the reconstruction loss of outliers above that of normal images.

    Deviation: the paper gives no form; a hinge, so that it ends where it is reached. ``normal_level`` takes no
    gradient.
    """
    return F.relu(normal_level.detach() + margin - outlier_level)
