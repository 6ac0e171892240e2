"""How a generator is called: maps of the mask go in beside the photograph, and what comes out is laid on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..nets.composite import composite, feather


def _layered(images_BCHW: Tensor, output: Tensor) -> Tensor:
    """A layer of the defect's own substance over the photograph, with its opacity, and a difference on top.

    A difference alone cannot hide what lies beneath: paper painted over a bolt stays a ghost. (After the layer-wise
    composition of Zhang et al. 2021, Defect-GAN.)
    """
    channels = images_BCHW.shape[1]
    substance, difference, opacity = output.split([channels, channels, 1], dim=1)
    opacity = torch.sigmoid(4 * opacity - 1)  # quick to close, and mostly clear at the start
    return (images_BCHW * (1 - opacity) + torch.tanh(substance) * opacity + difference).clamp(-1, 1)


PAINTINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "image": lambda images, output: output,
    "residual": lambda images, output: (images + output).clamp(-1, 1),
    "layered": _layered,
}
"""The painted photograph from the photograph and the net's output: the paper's, and two that keep its texture."""


def painting_channels(painting: str, channels: int) -> int:
    """Output channels a net needs for this painting."""
    return 2 * channels + 1 if painting == "layered" else channels


@dataclass(frozen=True)
class Painter:
    """How a generator is called. Maps of the mask steer it; its output is pasted or taken as it is.

    ``categories``: 0 gives the paper's 4-channel input (image + mask), else the mask is one-hot by category.
    ``painting``: what the net's output means, a row of ``PAINTINGS``.
    """

    categories: int = 0
    controls: bool = False
    painting: str = "image"
    support_px: int | None = None
    softness_px: int = 0

    def extra_channels(self, steered: bool) -> int:
        """Input channels beside the photograph: one-hot or plain mask; severity (2) and noise (2) if steered."""
        return max(1, self.categories) + (4 if steered and self.controls else 0)

    def mask_maps(self, mask_B1HW: Tensor, category_B: Tensor) -> Tensor:
        if not self.categories:
            return mask_B1HW
        chosen = F.one_hot(category_B, self.categories).to(mask_B1HW.dtype)
        return mask_B1HW * chosen[:, :, None, None]

    def control_maps(self, mask_B1HW: Tensor, severity_B2: Tensor, noise_B2HW: Tensor) -> Tensor:
        return mask_B1HW * torch.cat([severity_B2[:, :, None, None].expand(-1, -1, *mask_B1HW.shape[-2:]),
                                      noise_B2HW], dim=1)

    def paint(self, net: nn.Module, images_BCHW: Tensor, mask_B1HW: Tensor, maps: Tensor) -> Tensor:
        """The painted photograph in [-1, 1]; with a support, bit for bit the photograph outside it."""
        output = net(torch.cat([images_BCHW, maps], dim=1)).float()
        painted = PAINTINGS[self.painting](images_BCHW, output)
        if self.support_px is None:
            return painted
        return composite(images_BCHW, painted, feather(mask_B1HW, self.support_px, self.softness_px))
