"""What brings a score's two terms to one scale: their mean and spread on the normals."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Statistics(nn.Module):
    """``mean`` and ``spread`` (2,) of a score's two terms on the normal images it learned from."""

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
