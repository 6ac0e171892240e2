"""Painting a generated region into a photograph so that every pixel elsewhere stays what it was."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def feather(mask_B1HW: torch.Tensor, support_px: int, softness_px: int) -> torch.Tensor:
    """Soft alpha_B1HW in [0,1] of a {0,1} mask: exactly 0 farther than ``support_px`` from it (in x or y).

    The mask is dilated by ``support_px - softness_px`` and averaged over a square of radius ``softness_px``, so
    alpha falls linearly over ``2 * softness_px`` pixels and ends inside the support without a cut. It is exactly 1
    on the whole mask if ``softness_px <= support_px / 2``, however thin the mask is; beyond that the mask's own rim
    is softened. The image's border does not count as an edge.

    Raises:
        ValueError: not ``0 <= softness_px <= support_px``.
    """
    if not 0 <= softness_px <= support_px:
        raise ValueError(f"need 0 <= softness_px <= support_px, got {softness_px} and {support_px}")
    grown = support_px - softness_px
    alpha = (mask_B1HW != 0).float()
    if grown:
        alpha = F.max_pool2d(alpha, 2 * grown + 1, stride=1, padding=grown)
    if softness_px:
        window = 2 * softness_px + 1
        alpha = F.avg_pool2d(alpha, window, stride=1, padding=softness_px, count_include_pad=False)
    return alpha


def composite(x_BCHW: torch.Tensor, generated_BCHW: torch.Tensor, alpha_B1HW: torch.Tensor) -> torch.Tensor:
    """``x (1 - alpha) + generated alpha``; bit for bit x where alpha is 0, and the generated image where it is 1.

    Deviation: the paper lets the generator repaint the whole image and only its cycle term holds the background
    (section 4.2.3 (2)); pasting makes the mask a true label.
    """
    mixed = x_BCHW * (1 - alpha_B1HW) + generated_BCHW * alpha_B1HW
    return torch.where(alpha_B1HW == 0, x_BCHW.to(mixed.dtype), mixed)
