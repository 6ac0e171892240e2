"""Cycle consistency (Liu et al. 2023, eq. 6; Zhu et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch


def cycle_l1(
    x_BCHW: torch.Tensor,
    reconstructed_BCHW: torch.Tensor,
    weight_map_B1HW: torch.Tensor | None = None,
    over_ranks: Callable[[torch.Tensor], torch.Tensor] = lambda total: total,
) -> torch.Tensor:
    """Mean absolute difference of an image and its reconstruction: one of eq. 6's two terms.

    Deviation: a mean where eq. 6 prints a norm, as in CycleGAN, so the weight does not depend on the image size.
    With a ``weight_map`` (>= 0, not all 0) it is the weighted mean; a constant map changes nothing. Where processes
    share a batch, ``over_ranks`` gives the mean over them of the weights' sum, so that the mean of their losses is the
    loss of the whole batch.
    """
    difference = (x_BCHW.float() - reconstructed_BCHW.float()).abs()
    if weight_map_B1HW is None:
        return difference.mean()
    weights = weight_map_B1HW.float().expand_as(difference)
    return (difference * weights).sum() / over_ranks(weights.sum())
