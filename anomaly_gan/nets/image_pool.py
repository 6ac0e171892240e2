"""A history of generated images for the discriminators (Shrivastava et al. 2017; Zhu et al. 2017, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImageHistory(nn.Module):
    """Keeps up to ``capacity`` generated images; a net without parameters, so that a checkpoint holds it.

    Published: 50 images, each shown image swapped for an older one with probability 1/2.
    """

    def __init__(self, capacity: int, channels: int, side: int) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(capacity, channels, side, side))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self.images: Tensor
        self.filled: Tensor

    @torch.no_grad()
    def swap(self, fakes_BCHW: Tensor) -> Tensor:
        """What the discriminator is shown in place of ``fakes``; chance comes from torch's own stream."""
        shown, filled = fakes_BCHW.detach().clone(), int(self.filled)
        capacity = len(self.images)
        for row, chance in enumerate(torch.rand(len(shown)).tolist()):
            if filled < capacity:
                self.images[filled] = shown[row]
                filled += 1
            elif chance < 0.5:
                place = int(torch.randint(capacity, ()))
                older = self.images[place].clone()
                self.images[place] = shown[row]
                shown[row] = older
        self.filled.fill_(filled)
        return shown
