"""The set loss of QueryInst: each object is matched with one query, and the queries left over are background."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import generalized_box_iou, generalized_box_iou_loss, sigmoid_focal_loss

CLASS, L1, GIOU, DICE = 2.0, 5.0, 2.0, 8.0
"""The paper's weights (section 3.4); the first three are also those of the matching."""
ALPHA, GAMMA = 0.25, 2.0


def matching_cost(logits: Tensor, boxes: Tensor, labels: Tensor, truth: Tensor, size: Tensor) -> Tensor:
    """Cost (N, K) of giving query n to object k: focal + L1 + GIoU (Carion et al. 2020, equation 1; Sun et al. 2021).

    logits (N, C), boxes and truth (N, 4), (K, 4) x1 y1 x2 y2 in pixels, labels (K,) from 1, size (4,) w h w h in px.
    """
    share = logits.sigmoid()[:, labels - 1]
    as_object = ALPHA * (1 - share) ** GAMMA * -(share + 1e-8).log()
    as_background = (1 - ALPHA) * share**GAMMA * -(1 - share + 1e-8).log()
    apart = torch.cdist(boxes / size, truth / size, p=1)
    return CLASS * (as_object - as_background) + L1 * apart - GIOU * generalized_box_iou(boxes, truth)


@torch.no_grad()
def match(logits: Tensor, boxes: Tensor, labels: Tensor, truth: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """(queries, objects), indices of the cheapest one-to-one matching; with more objects than queries, of as many
    as there are queries. Arguments as for ``matching_cost``.
    """
    # a diverged net must fail in the training loop, which names the loss and the step, not in scipy
    cost = torch.nan_to_num(matching_cost(logits, boxes, labels, truth, size), nan=1e6, posinf=1e6, neginf=-1e6)
    queries, objects = linear_sum_assignment(cost.cpu().double().numpy())
    return (torch.from_numpy(queries).to(logits.device), torch.from_numpy(objects).to(logits.device))


def class_loss(logits: Tensor, queries: list[Tensor], labels: list[Tensor]) -> Tensor:
    """Focal loss of logits (B, N, C), summed, per object; ``labels[b]`` (from 1) belong to ``queries[b]``."""
    aims = torch.zeros_like(logits)
    for image, (places, of_image) in enumerate(zip(queries, labels, strict=True)):
        aims[image, places, of_image - 1] = 1.0
    total = sigmoid_focal_loss(logits, aims, alpha=ALPHA, gamma=GAMMA, reduction="sum")
    return CLASS * total / max(1, sum(len(of_image) for of_image in labels))


def box_losses(boxes: Tensor, truth: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """L1 (in shares of the image) and GIoU loss of matched boxes (M, 4), per object; 0 where there is none."""
    count = max(1, len(boxes))
    apart = (boxes / sizes - truth / sizes).abs().sum()
    return L1 * apart / count, GIOU * generalized_box_iou_loss(boxes, truth, reduction="sum") / count


def dice_loss(logits: Tensor, aims: Tensor) -> Tensor:
    """Dice loss of masks (M, S, S) against shares in [0, 1], per object (Milletari et al. 2016, equation 3)."""
    share, aims = logits.sigmoid().flatten(1), aims.flatten(1)
    overlap = 2 * (share * aims).sum(1) / (share.square().sum(1) + aims.square().sum(1) + 1e-3)
    return DICE * (1 - overlap).sum() / max(1, len(logits))


def summed(terms: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The losses of all stages, each name summed."""
    return {name: torch.stack([of_stage[name] for of_stage in terms]).sum() for name in terms[0]}
