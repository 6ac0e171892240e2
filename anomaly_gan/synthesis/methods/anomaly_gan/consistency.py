"""The mask-consistency segmenter: it learns on real defects where a defect lies (and, where it names them, of which
category), and asks the generator for the same.

Not in the paper, whose users complain of masks that are not filled. In the discriminators' turn the net
learns real windows with their masks, and that a normal window has none; in the generators' turn it holds still and
must find the mask in the generated picture. It has nothing in common with the segmenters of the label check
but the training photographs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from ....engine.task import Losses
from ....losses.segmentation import mask_error
from ...pairs.windows import Batch


class Consistency:
    """``net``: pictures_BCHW in [-1, 1] -> logits_BKHW, one map for each of K ``categories``, or, where that is 0, one
    for all. ``weight`` is that of the generators' term."""

    def __init__(self, net: nn.Module, optimizer: Optimizer, weight: float, categories: int = 0) -> None:
        self.net, self.optimizer, self.weight, self.categories = net, optimizer, weight, categories

    def learn(self, batch: Batch) -> Losses:
        """The segmenter's own terms: real defects and real normals, never a generated picture."""
        shown = torch.cat([batch.abnormal_BCHW, batch.normal_BCHW])
        masks = torch.cat([batch.abnormal_mask_B1HW, torch.zeros_like(batch.normal_mask_B1HW)])
        cross_entropy, dice = mask_error(self.net(shown), self._wanted(masks, batch.category_B.repeat(2)))
        return {"cross_entropy": cross_entropy, "dice": dice}

    def ask(self, painted_BCHW: Tensor, mask_B1HW: Tensor, category_B: Tensor) -> Tensor:
        """The generators' term, weighted: how far what is found in the painted picture is from the mask."""
        cross_entropy, dice = mask_error(self.net(painted_BCHW), self._wanted(mask_B1HW, category_B))
        return self.weight * (cross_entropy + dice)

    def _wanted(self, mask_B1HW: Tensor, category_B: Tensor) -> Tensor:
        """The mask in its category's map, nothing in the others."""
        if not self.categories:
            return mask_B1HW
        return mask_B1HW * F.one_hot(category_B.long(), self.categories)[:, :, None, None]
