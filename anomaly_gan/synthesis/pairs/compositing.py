"""How a generator is called: maps of the mask go in beside the photograph, and what comes out is warped on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nets.composite import composite, feather

SHOWN, NEAR_PX = 0.06, 2
"""A change of the exemplar by so much (8 grey levels, in [-1, 1]) shows; a generator may refine so far around it."""


def _layered(images_BCHW: Tensor, output: Tensor) -> Tensor:
    """A layer of the defect's own substance over the photograph, with its opacity, and a difference on top.

    A difference alone cannot hide what lies beneath: paper painted over a bolt stays a ghost. (After the layer-wise
    composition of Zhang et al. 2021, Defect-GAN.)
    """
    channels = images_BCHW.shape[1]
    substance, difference, opacity = output.split([channels, channels, 1], dim=1)
    opacity = torch.sigmoid(4 * opacity - 1)  # quick to close, and mostly clear at the start
    return (images_BCHW * (1 - opacity) + torch.tanh(substance) * opacity + difference).clamp(-1, 1)


def _from_exemplar(images_BCHW: Tensor, output: Tensor, exemplar_BCHW: Tensor) -> Tensor:
    """As ``_layered``, but what lies over the photograph is an exemplar; it starts as mostly hiding it."""
    difference, opacity = output.split([images_BCHW.shape[1], 1], dim=1)
    opacity = torch.sigmoid(4 * opacity + 1)
    near = _near(images_BCHW, exemplar_BCHW)
    return (images_BCHW * (1 - opacity) + exemplar_BCHW * opacity + near * difference).clamp(-1, 1)


def _near(images_BCHW: Tensor, exemplar_BCHW: Tensor) -> Tensor:
    """(B, 1, H, W) in [0, 1]: where, and near where, the exemplar shows. A generator that could paint all of a loosely
    drawn mask would end at the mask's outline, which is no edge of a defect."""
    shown = ((exemplar_BCHW - images_BCHW).abs().amax(1, keepdim=True) / SHOWN).clamp(0, 1)
    grown = F.max_pool2d(shown, 2 * NEAR_PX + 1, stride=1, padding=NEAR_PX)
    return F.avg_pool2d(grown, 2 * NEAR_PX + 1, stride=1, padding=NEAR_PX, count_include_pad=False)


PAINTINGS: dict[str, Callable[..., Tensor]] = {
    "image": lambda images, output: output,
    "residual": lambda images, output: (images + output).clamp(-1, 1),
    "layered": _layered,
    "exemplar": _from_exemplar,
}
"""The painted photograph from the photograph, the net's output and, for the last, an exemplar: the paper's way, two
that keep the photograph's texture, and one that takes a real defect's."""


def painting_channels(painting: str, channels: int) -> int:
    """Output channels a net needs for this painting."""
    return {"layered": 2 * channels + 1, "exemplar": channels + 1}.get(painting, channels)


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

    @property
    def restorer(self) -> Painter:
        """How H is called: as G, but no exemplar tells what is under a defect."""
        return replace(self, painting="layered") if self.painting == "exemplar" else self

    def extra_channels(self, steered: bool, channels: int) -> int:
        """Input channels beside the photograph's ``channels``: one-hot or plain mask; severity (2), noise (2) and the
        exemplar if steered."""
        steering = (4 if self.controls else 0) + (channels if self.painting == "exemplar" else 0)
        return max(1, self.categories) + (steering if steered else 0)

    def mask_maps(self, mask_B1HW: Tensor, category_B: Tensor) -> Tensor:
        if not self.categories:
            return mask_B1HW
        chosen = F.one_hot(category_B, self.categories).to(mask_B1HW.dtype)
        return mask_B1HW * chosen[:, :, None, None]

    def control_maps(self, mask_B1HW: Tensor, severity_B2: Tensor, noise_B2HW: Tensor) -> Tensor:
        return mask_B1HW * torch.cat(
            [severity_B2[:, :, None, None].expand(-1, -1, *mask_B1HW.shape[-2:]), noise_B2HW], dim=1
        )

    def paint(
        self, net: nn.Module, images_BCHW: Tensor, mask_B1HW: Tensor, maps: Tensor, exemplar_BCHW: Tensor | None = None
    ) -> Tensor:
        """The painted photograph in [-1, 1]; with a support, bit for bit the photograph outside it."""
        exemplars = [] if exemplar_BCHW is None else [exemplar_BCHW]
        output = net(torch.cat([images_BCHW, maps, *exemplars], dim=1)).float()
        painted = PAINTINGS[self.painting](images_BCHW, output, *exemplars)
        if self.support_px is None:
            return painted
        return composite(images_BCHW, painted, feather(mask_B1HW, self.support_px, self.softness_px))
