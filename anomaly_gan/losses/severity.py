"""How strong a defect is: two numbers measured on the picture, which the generator is asked to meet.

Not in the paper. A cycle-consistent generator that sees only the mask gives every defect the same, exaggerated
contrast; telling it the contrast and the roughness of a real defect, and asking for them, gives generated
defects the real ones' distribution and makes severity a control.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RING_PX = 4
FLOOR = 0.25
"""Added to intensities in [0, 1] before the logarithm, so that dark surroundings do not blow the ratio up."""

RIM_PX, ROUGHER = 3, 3.0
"""How far beyond a mask a defect may reach, and the most by which its deviations are stretched (``at_severity``)."""


def severity(images_BCHW: Tensor, masks_B1HW: Tensor) -> Tensor:
    """(B, 2): log ratio of mean intensity inside the mask to that in a ring around it; standard deviation inside.

    Images in [-1, 1]; masks in {0, 1}. An empty mask gives zeros.
    """
    intensity = (images_BCHW.float().mean(1, keepdim=True) + 1) / 2
    masks = masks_B1HW.float()
    inside, around = _masked_mean(intensity, masks), _masked_mean(intensity, _ring(masks))
    spread = _masked_mean((intensity - inside[:, None, None, None]).square(), masks).clamp_min(1e-8).sqrt()
    present = (masks.sum((1, 2, 3)) > 0).float()
    ratio = torch.log((inside + FLOOR) / (around + FLOOR))
    return torch.stack([ratio * present, spread * present], dim=1)


def at_severity(images_BCHW: Tensor, masks_B1HW: Tensor, target_B2: Tensor) -> Tensor:
    """The pictures in [-1, 1] with what is under the masks made as strong and as rough as ``target`` says: brighter or
    darker as a whole, and its deviations from its mean stretched by ``ROUGHER`` at the most. Within ``RIM_PX`` of a
    mask, pixels go along by as much as they look like the defect and not like its surroundings."""
    shown = severity(images_BCHW, masks_B1HW)
    gain, stretch = torch.exp(target_B2[:, 0] - shown[:, 0]), target_B2[:, 1] / shown[:, 1].clamp_min(1e-4)
    intensity = (images_BCHW + 1) / 2
    inside = masks_B1HW.float()
    mean, around = (_masked_mean(intensity.mean(1, keepdim=True), where) for where in (inside, _ring(inside)))
    wanted = (mean + FLOOR) * gain - FLOOR
    mean, around, wanted, stretch = (
        value[:, None, None, None] for value in (mean, around, wanted, stretch.clamp(1 / ROUGHER, ROUGHER))
    )
    alike = ((intensity - around) * (mean - around) / (mean - around).square().clamp_min(1e-4)).clamp(0, 1)
    changed = torch.where(inside > 0, wanted + (intensity - mean) * stretch, intensity + (wanted - mean) * alike)
    return torch.where(_grown(inside, RIM_PX) > 0, (2 * changed - 1).clamp(-1, 1), images_BCHW)


def reachable(target_B2: Tensor, images_BCHW: Tensor, masks_B1HW: Tensor) -> Tensor:
    """``target`` with the ratio limited to what intensities in [0.02, 0.97] can show on these surroundings."""
    intensity = (images_BCHW.float().mean(1, keepdim=True) + 1) / 2
    around = _masked_mean(intensity, _ring(masks_B1HW.float()))
    least = torch.log((0.02 + FLOOR) / (around + FLOOR))
    most = torch.log((0.97 + FLOOR) / (around + FLOOR))
    return torch.stack([torch.minimum(torch.maximum(target_B2[:, 0], least), most), target_B2[:, 1]], dim=1)


def _ring(masks_B1HW: Tensor) -> Tensor:
    return _grown(masks_B1HW, RING_PX) - masks_B1HW


def _grown(masks_B1HW: Tensor, distance_px: int) -> Tensor:
    return F.max_pool2d(masks_B1HW, 2 * distance_px + 1, stride=1, padding=distance_px)


def _masked_mean(values_B1HW: Tensor, weights_B1HW: Tensor) -> Tensor:
    return (values_B1HW * weights_B1HW).sum((1, 2, 3)) / weights_B1HW.sum((1, 2, 3)).clamp_min(1e-6)
