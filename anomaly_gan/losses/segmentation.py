"""How far a segmenter's verdict is from a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def mask_error(logits_BKHW: torch.Tensor, mask_BKHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(binary cross-entropy, soft Dice loss) of logits against {0, 1} masks by category, each a mean over the batch.

    Dice (Milletari et al. 2016) is taken picture by picture, 1 - (2 |p m| + 1) / (|p| + |m| + 1) with p = sigmoid:
    a small defect counts as much as a large one, nothing found where nothing is costs nothing, and what is found of
    another category counts as found elsewhere.
    """
    logits, mask = logits_BKHW.float(), mask_BKHW.float()
    found = torch.sigmoid(logits)
    both, either = (found * mask).sum((1, 2, 3)), (found + mask).sum((1, 2, 3))
    return F.binary_cross_entropy_with_logits(logits, mask), (1 - (2 * both + 1) / (either + 1)).mean()
