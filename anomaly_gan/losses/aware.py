"""The abnormal aware loss (Liu et al. 2023, eq. 1 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch


def semantic_moments(taps_a: Sequence[torch.Tensor], taps_b: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum over the taps of the mean absolute differences of each channel's spatial mean and standard deviation.

    Deviation: eq. 1 compares two unlike defects position by position, which asks for their average, a flat
    blur. Mean and spread of the features say what a defect looks like, not where.
    """
    total = taps_a[0].new_zeros((), dtype=torch.float32)
    for a, b in zip(taps_a, taps_b, strict=True):
        for moment in (torch.mean, _spread):
            total = total + (moment(a.float(), (2, 3)) - moment(b.float(), (2, 3))).abs().mean()
    return total


def _spread(features_BDHW: torch.Tensor, dims: tuple[int, int]) -> torch.Tensor:
    return (features_BDHW.var(dims, correction=0) + 1e-6).sqrt()


def semantic_difference(
    taps_a: Sequence[torch.Tensor], taps_b: Sequence[torch.Tensor], kind: Literal["l1", "l2"] = "l1"
) -> torch.Tensor:
    """Sum over the taps of the mean absolute ("l1") or mean squared ("l2") difference of features_BDHW.

    Deviation: eq. 1 prints a signed sum, which has no lower bound; its division by D H W is the mean.

    Raises:
        ValueError: the two lists differ in length, or an unknown kind.
    """
    if kind not in ("l1", "l2"):
        raise ValueError(f"kind is l1 or l2, not {kind!r}")
    total = taps_a[0].new_zeros((), dtype=torch.float32)
    for a, b in zip(taps_a, taps_b, strict=True):
        difference = a.float() - b.float()
        total = total + (difference.abs() if kind == "l1" else difference.square()).mean()
    return total
