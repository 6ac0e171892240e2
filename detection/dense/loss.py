"""What the dense detector is trained on: cross-entropy and overlap of the maps, cross-entropy of the coarse head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from anomaly_gan.engine.task import Losses

from .config import DenseConfig
from .net import COARSE, Logits


def dense_losses(
    logits: Logits, truth_BKHW: Tensor, valid_B1HW: Tensor, weight_B: Tensor, config: DenseConfig
) -> Losses:
    """``cross_entropy``, ``dice`` and ``presence``, weighted.

    ``truth_BKHW`` is 0 or 1; pixels where ``valid_B1HW`` is 0 (beyond a photograph's edge) count nowhere;
    ``weight_B`` is the weight of each crop.
    """
    valid = valid_B1HW * weight_B.reshape(-1, 1, 1, 1)
    losses = {"cross_entropy": _cross_entropy(logits.maps_BKHW, truth_BKHW, valid)}
    if config.dice:
        losses["dice"] = config.dice * dice_loss(torch.sigmoid(logits.maps_BKHW), truth_BKHW, valid)
    if config.presence:
        coarse = F.max_pool2d(truth_BKHW * valid_B1HW, COARSE, ceil_mode=True)
        seen = F.max_pool2d(valid, COARSE, ceil_mode=True)
        losses["presence"] = config.presence * _cross_entropy(logits.coarse_BKhw, coarse, seen)
    return losses


def _cross_entropy(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid places and categories."""
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * valid).sum() / (valid.sum() * logits.shape[1]).clamp(min=1.0)


def dice_loss(share_BKHW: Tensor, truth_BKHW: Tensor, valid_B1HW: Tensor) -> Tensor:
    """1 - 2 |P and T| / (|P|² + |T|²), pixels of the batch pooled, mean over the categories that it shows (Milletari
    et al. 2016); 0 where it shows none. Squares in the denominator, as there."""
    weighted = truth_BKHW * valid_B1HW
    inside = (share_BKHW * weighted).sum((0, 2, 3))
    total = (share_BKHW.square() * valid_B1HW).sum((0, 2, 3)) + weighted.sum((0, 2, 3))
    shown = (weighted.sum((0, 2, 3)) > 0).float()
    return ((1 - 2 * inside / total.clamp(min=1.0)) * shown).sum() / shown.sum().clamp(min=1.0)
