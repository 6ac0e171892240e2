"""Mask Scoring R-CNN: Mask R-CNN with a third head that says how good its masks are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, maskrcnn_loss, project_masks_on_boxes

from ..config import DetectConfig
from .mask_rcnn import mask_rcnn

START_IOU = 0.5
"""What the new head says before it has learnt: the same for every mask, so that the order is the box scores'."""
CONVOLUTIONS = 4

Found = dict[str, Tensor]


def ms_rcnn(categories: int, config: DetectConfig, pretrained: bool = True) -> nn.Module:
    """Mask Scoring R-CNN (Huang et al. 2019). Labels 1 .. ``categories``; 0 is background.

    Our Mask R-CNN, with its backbone and its start, and a MaskIoU head as wide as its mask and box heads.
    """
    net = mask_rcnn(categories, config, pretrained)
    assert isinstance(net, MaskRCNN)
    heads = net.roi_heads
    head = MaskIoUHead(
        categories,
        net.backbone.out_channels,
        heads.box_predictor.bbox_pred.in_features,
        heads.mask_roi_pool.output_size[0],
    )
    net.roi_heads = MaskScoringHeads(heads, head)
    return net


class MaskIoUHead(nn.Module):
    """The IoU of a predicted mask with the object it shows, regressed for every category (section 3.3, figure 3).

    The RoI's features (N, ``width``, S, S) and the predicted mask (N, 1, 2S, 2S) in [0, 1], max-pooled to S, pass
    four convolutions (the last of stride 2) and three linear layers; gives (N, ``categories``), column label - 1.
    """

    def __init__(self, categories: int, width: int, hidden: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(CONVOLUTIONS):
            last = number == CONVOLUTIONS - 1
            layers += [nn.Conv2d(width + (number == 0), width, 3, stride=2 if last else 1, padding=1), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Sequential(
            nn.Flatten(),
            nn.Linear(width * ((side + 1) // 2) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.iou = nn.Linear(hidden, categories)
        nn.init.normal_(self.iou.weight, std=0.01)
        nn.init.constant_(self.iou.bias, START_IOU)

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return self.iou(self.linear(self.convolutions(torch.cat([features, F.max_pool2d(masks, 2)], dim=1))))


class MaskScoringHeads(nn.Module):
    """torchvision's RoI heads and one step more.

    In training the MaskIoU head learns the IoU of the mask just predicted for the true category (squared error,
    weight 1, on the proposals the mask head learns from). In evaluation every score is the box score times the
    IoU expected of the mask (equation 1), and detections are ordered by it.
    """

    def __init__(self, heads: RoIHeads, mask_iou: MaskIoUHead) -> None:
        super().__init__()
        self.heads = heads
        self.mask_iou = mask_iou

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Found] | None = None,
    ) -> tuple[list[Found], dict[str, Tensor]]:
        if self.training:
            return [], self._losses(features, proposals, image_shapes, targets)
        found, _ = self.heads(features, proposals, image_shapes)
        return self._scored(features, found, image_shapes), {}

    def _losses(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Found] | None,
    ) -> dict[str, Tensor]:
        heads = self.heads
        proposals, matches, labels, deltas = heads.select_training_samples(proposals, targets)
        box_features = heads.box_head(heads.box_roi_pool(features, proposals, image_shapes))
        loss_class, loss_box = fastrcnn_loss(*heads.box_predictor(box_features), labels, deltas)

        hits = [of_image > 0 for of_image in labels]
        boxes = [of_image[hit] for of_image, hit in zip(proposals, hits, strict=True)]
        matches = [of_image[hit] for of_image, hit in zip(matches, hits, strict=True)]
        assert targets is not None  # or select_training_samples would have stopped
        masks = [target["masks"] for target in targets]
        pooled = heads.mask_roi_pool(features, boxes, image_shapes)
        logits = heads.mask_predictor(heads.mask_head(pooled))
        loss_mask = maskrcnn_loss(logits, boxes, masks, [target["labels"] for target in targets], matches)

        places = torch.cat([of_image[hit] for of_image, hit in zip(labels, hits, strict=True)])
        rows = torch.arange(len(places), device=places.device)
        predicted = logits[rows, places][:, None].sigmoid()
        aims = [
            mask_iou_targets(*of_image)
            for of_image in zip(
                predicted.detach()[:, 0].split([len(item) for item in boxes]), boxes, masks, matches, strict=True
            )
        ]
        expected = self.mask_iou(pooled, predicted)[rows, places - 1]
        return {
            "loss_classifier": loss_class,
            "loss_box_reg": loss_box,
            "loss_mask": loss_mask,
            "loss_mask_iou": mask_iou_loss(expected, torch.cat(aims)),
        }

    def _scored(
        self, features: dict[str, Tensor], found: list[Found], image_shapes: list[tuple[int, int]]
    ) -> list[Found]:
        pooled = self.heads.mask_roi_pool(features, [item["boxes"] for item in found], image_shapes)
        places = torch.cat([item["labels"] for item in found]) - 1
        ious = self.mask_iou(pooled, torch.cat([item["masks"] for item in found]))
        ious = ious[torch.arange(len(places), device=places.device), places].float().clamp(0, 1)
        result = []
        for item, factors in zip(found, ious.split([len(item["boxes"]) for item in found]), strict=True):
            scores = item["scores"] * factors
            order = scores.argsort(descending=True, stable=True)
            result.append({**{name: value[order] for name, value in item.items()}, "scores": scores[order]})
        return result


def mask_iou_loss(expected: Tensor, aims: Tensor) -> Tensor:
    """Mean squared error, in float32; 0 where there is nothing to learn from."""
    return F.mse_loss(expected.float(), aims) if len(aims) else expected.float().sum() * 0


def mask_iou_targets(predicted: Tensor, boxes_xyxy_px: Tensor, masks_01: Tensor, matches: Tensor) -> Tensor:
    """IoU (N,) of each predicted mask with the whole object it belongs to, inside and outside its box.

    ``predicted`` (N, M, M) in [0, 1] fills the box (N, 4) and counts from 0.5 up; ``masks_01`` (K, H, W) are the
    objects, ``matches`` (N,) says which is whose. Both areas are counted in the M x M cells of the box. What of the
    object lies outside its box (pixels whose centre does) enlarges the union, at the cells' scale.

    Deviation: the paper's code divides the object's area inside by the share of it that lies inside; this adds the
    area outside, which is the same number, and stays finite where the box misses the object altogether.
    """
    cells = predicted.shape[-1]
    hits = predicted.float() >= 0.5
    objects = project_masks_on_boxes(masks_01, boxes_xyxy_px, matches, cells) >= 0.5
    both = (hits & objects).sum(dim=(1, 2)).float()
    either = (hits | objects).sum(dim=(1, 2)).float()
    size = (boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]).clamp(min=1e-3)
    outside_px = _area_outside(masks_01[matches].float(), boxes_xyxy_px)
    return both / (either + outside_px * cells**2 / size.prod(dim=1)).clamp(min=1.0)


def _area_outside(masks_01: Tensor, boxes_xyxy_px: Tensor) -> Tensor:
    """Pixels (N,) of each mask (N, H, W) whose centre is not in its box (N, 4)."""
    height, width = masks_01.shape[-2:]
    columns = torch.arange(width, device=masks_01.device) + 0.5
    rows = torch.arange(height, device=masks_01.device) + 0.5
    x1, y1, x2, y2 = boxes_xyxy_px[:, :, None].unbind(dim=1)
    inside = torch.einsum(
        "nhw,nh,nw->n", masks_01, ((rows >= y1) & (rows < y2)).float(), ((columns >= x1) & (columns < x2)).float()
    )
    return masks_01.sum(dim=(1, 2)) - inside
