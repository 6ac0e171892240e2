"""Mode seeking regularisation: different codes shall give different images (Mao et al. 2019)."""

from __future__ import annotations

import torch


def mode_seeking(
    z1: torch.Tensor, z2: torch.Tensor, x1: torch.Tensor, x2: torch.Tensor, epsilon: float = 1e-5
) -> torch.Tensor:
    """Mean over the batch of |z1 - z2| / (|x1 - x2| + epsilon), each a mean absolute difference of one sample.

    Deviation: Mao et al. invert the mean ratio of the batch; per sample, one collapsed pair is not hidden by others.
    """
    codes = (z1.float() - z2.float()).abs().flatten(1).mean(1)
    images = (x1.float() - x2.float()).abs().flatten(1).mean(1)
    return (codes / (images + epsilon)).mean()
