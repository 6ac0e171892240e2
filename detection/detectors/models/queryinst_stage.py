"""One stage of QueryInst: queries look at their boxes, move them, name what is there and draw its mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

LEVELS = ("0", "1", "2", "3")
BOX_SIDE, MASK_SIDE = 7, 14
CHANNELS_PER_HEAD = 16
DYNAMIC_SHARE = 4
DELTA_WEIGHTS = (2.0, 2.0, 1.0, 1.0)
LARGEST_DELTA = math.log(1000 / 16)
PRIOR = 0.01
"""How likely a query is an object of a category before training, so that the focal loss starts small."""

Maps = dict[str, Tensor]
Shapes = list[tuple[int, int]]


@dataclass(frozen=True)
class StageOutput:
    """logits (B, N, C), boxes (B, N, 4) x1 y1 x2 y2 in pixels, and two states of the queries (B, N, D): ``attended``
    (after looking at each other; the mask branch is told by these) and ``queries`` (handed to the next stage).
    """

    logits: Tensor
    boxes: Tensor
    attended: Tensor
    queries: Tensor


class DynamicConv(nn.Module):
    """Two 1x1 convolutions whose kernels each query makes for its own region (Fang et al. 2021, section 3.2).

    features (N, ``width``, S, S) and queries (N, ``width``) give (N, ``width``, S, S).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.hidden = width, max(1, width // DYNAMIC_SHARE)
        self.kernels = nn.Linear(width, 2 * width * self.hidden)
        self.norm_in, self.norm_out = nn.LayerNorm(self.hidden), nn.LayerNorm(width)

    def forward(self, features: Tensor, queries: Tensor) -> Tensor:
        first, second = self.kernels(queries).split(self.width * self.hidden, dim=1)
        pixels = features.flatten(2).transpose(1, 2)
        pixels = self.norm_in(pixels @ first.view(-1, self.width, self.hidden)).relu()
        pixels = self.norm_out(pixels @ second.view(-1, self.hidden, self.width)).relu()
        return pixels.transpose(1, 2).reshape(features.shape)


class Stage(nn.Module):
    """Self-attention between queries, a dynamic box head and, beside it, a dynamic mask head (figure 2)."""

    def __init__(self, categories: int, width: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, max(1, width // CHANNELS_PER_HEAD), batch_first=True)
        self.norm_attended, self.norm_seen, self.norm_queries = (nn.LayerNorm(width) for _ in range(3))
        self.box_pool = MultiScaleRoIAlign(LEVELS, BOX_SIDE, sampling_ratio=2)
        self.box_conv = DynamicConv(width)
        self.box_summary = nn.Sequential(
            nn.Flatten(), nn.Linear(width * BOX_SIDE**2, width), nn.LayerNorm(width), nn.ReLU()
        )
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.class_tower, self.box_tower = _tower(width, 1), _tower(width, 3)
        self.class_logits, self.box_deltas = nn.Linear(width, categories), nn.Linear(width, 4)
        self.mask_pool = MultiScaleRoIAlign(LEVELS, MASK_SIDE, sampling_ratio=2)
        self.mask_conv = DynamicConv(width)
        predictor = MaskRCNNPredictor(width, width, 1)
        self.mask_head = nn.Sequential(MaskRCNNHeads(width, [width, width], dilation=1), predictor)
        nn.init.constant_(self.class_logits.bias, -math.log((1 - PRIOR) / PRIOR))
        for weight in (self.box_deltas.weight, predictor.mask_fcn_logits.weight):
            nn.init.normal_(weight, std=0.001)

    def forward(self, maps: Maps, boxes: Tensor, queries: Tensor, shapes: Shapes) -> StageOutput:
        attended = self.norm_attended(queries + self.attention(queries, queries, queries, need_weights=False)[0])
        flat = attended.flatten(0, 1)
        seen = self.box_summary(self.box_conv(self.box_pool(maps, list(boxes), shapes), flat))
        state = self.norm_seen(flat + seen)
        state = self.norm_queries(state + self.feed_forward(state)).view_as(attended)
        logits = self.class_logits(self.class_tower(state)).float()
        moved = moved_boxes(boxes, self.box_deltas(self.box_tower(state)).float())
        return StageOutput(logits, moved, attended, state)

    def masks(self, maps: Maps, boxes: list[Tensor], attended: Tensor, shapes: Shapes) -> Tensor:
        """Mask logits float32 (M, 28, 28), of any category, for all boxes of all images one after the other."""
        return self.mask_head(self.mask_conv(self.mask_pool(maps, boxes, shapes), attended))[:, 0].float()


def _tower(width: int, layers: int) -> nn.Sequential:
    return nn.Sequential(
        *[nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU()) for _ in range(layers)]
    )


def moved_boxes(boxes_xyxy_px: Tensor, deltas: Tensor) -> Tensor:
    """Boxes (..., 4) shifted by deltas in units of their size and scaled by the exponentials (He et al. 2014's code).

    A side changes by at most 62.5 times either way, so it can neither vanish nor overflow within a few stages.
    """
    shift_x, shift_y, grow_x, grow_y = (deltas / deltas.new_tensor(DELTA_WEIGHTS)).unbind(-1)
    x1, y1, x2, y2 = boxes_xyxy_px.unbind(-1)
    width, height = x2 - x1, y2 - y1
    centre_x, centre_y = (x1 + x2) / 2 + shift_x * width, (y1 + y2) / 2 + shift_y * height
    half_w = width * grow_x.clamp(-LARGEST_DELTA, LARGEST_DELTA).exp() / 2
    half_h = height * grow_y.clamp(-LARGEST_DELTA, LARGEST_DELTA).exp() / 2
    return torch.stack([centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h], dim=-1)
