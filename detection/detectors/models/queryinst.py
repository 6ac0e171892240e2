"""QueryInst: instance segmentation by a fixed set of learnt queries, supervised in parallel at every stage."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import clip_boxes_to_image, remove_small_boxes

from ..backbones import RESNET_COCO, EfficientNetPyramid, choose_backbone, coco_state, resnet_pyramid
from ..config import DetectConfig
from ..pretrained_heads import HEAD_WIDTH, WIDTH, apply_pretrained_heads
from .input_side import input_side
from .queryinst_loss import box_losses, class_loss, dice_loss, match, summed
from .queryinst_stage import Maps, Shapes, Stage, StageOutput

QUERIES, STAGES = 50, 3
RESNET_WIDTH = 256
FIRST_SIDE = 0.4
LEAST_SCORE = 0.01
SMALLEST_PX = 1e-2

Found = dict[str, Tensor]


def queryinst(categories: int, config: DetectConfig, pretrained: bool = True) -> nn.Module:
    """QueryInst (Fang et al. 2021) on Sparse R-CNN's queries (Sun et al. 2021). Labels 1 .. ``categories``.

    Deviation: 50 queries as wide as the pyramid and three stages (paper: 300 of 256 channels, six), dynamic kernels
    and feed-forward layers smaller in proportion, two convolutions before each mask instead of four, and one mask for
    all categories. The first boxes are spread over the image instead of covering it whole.
    """
    if choose_backbone(config.backbone, pretrained) == RESNET_COCO:
        backbone: nn.Module = resnet_pyramid(coco_state() if pretrained else None)
        width = RESNET_WIDTH
    else:
        backbone, width = EfficientNetPyramid(config.width, config.frozen_stages), config.width
    net = QueryInst(
        backbone,
        categories,
        width,
        hidden=config.head_width,
        detections=config.detections,
        transform=GeneralizedRCNNTransform(**input_side(config)),
    )
    if config.pretrained_heads and (width, config.head_width) == (WIDTH, HEAD_WIDTH) and pretrained:
        apply_pretrained_heads(net, categories, detector="queryinst")
    return net


class QueryInst(nn.Module):
    """Called as torchvision's detectors are.

    ``net(images, targets)`` in training gives the losses, each summed over stages; ``net(images)`` in evaluation
    gives per image boxes (M, 4) x1 y1 x2 y2 in pixels, labels (M,), scores (M,) falling, masks (M, 1, H, W) in
    [0, 1]. Images are (3, H, W) in [0, 1]; targets are as ``detection.training.finetune.target_tensors`` makes them.
    """

    def __init__(
        self,
        backbone: nn.Module,
        categories: int,
        width: int,
        hidden: int,
        detections: int,
        transform: GeneralizedRCNNTransform,
        queries: int = QUERIES,
        stages: int = STAGES,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.detections = detections
        self.first_boxes = nn.Parameter(torch.logit(spread_boxes(queries)))
        self.first_queries = nn.Parameter(torch.randn(queries, width))
        self.stages = nn.ModuleList(Stage(categories, width, hidden) for _ in range(stages))

    def forward(self, images: list[Tensor], targets: list[Found] | None = None) -> dict[str, Tensor] | list[Found]:
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images]
        batch, targets = self.transform(images, targets)
        maps = self.backbone(batch.tensors)
        outputs = self._run(maps, batch.image_sizes)
        if self.training:
            if targets is None:
                raise ValueError("training needs targets")
            return summed(
                [
                    self._losses(stage, output, maps, batch.image_sizes, targets)
                    for stage, output in zip(self._stages(), outputs, strict=True)
                ]
            )
        found = self._found(outputs[-1], maps, batch.image_sizes)
        return self.transform.postprocess(found, batch.image_sizes, sizes)

    def _stages(self) -> list[Stage]:
        return [stage for stage in self.stages if isinstance(stage, Stage)]

    def _run(self, maps: Maps, shapes: Shapes) -> list[StageOutput]:
        centre, side = self.first_boxes.sigmoid().split(2, dim=1)
        shares = torch.cat([centre - side / 2, centre + side / 2], dim=1)
        boxes = shares * _sizes(shapes, shares)[:, None]
        queries = self.first_queries.expand(len(shapes), -1, -1)
        outputs: list[StageOutput] = []
        for stage in self._stages():
            outputs.append(stage(maps, boxes, queries, shapes))
            boxes, queries = outputs[-1].boxes.detach(), outputs[-1].queries
        return outputs

    def _losses(
        self, stage: Stage, output: StageOutput, maps: Maps, shapes: Shapes, targets: list[Found]
    ) -> dict[str, Tensor]:
        """The losses of one stage: its queries are matched to the objects one to one, and boxes and masks count for
        matched queries alone. Masks are predicted in the boxes as they are, without a gradient to them."""
        sizes = _sizes(shapes, output.boxes)
        pairs = [
            match(logits, boxes, target["labels"], target["boxes"], size)
            for logits, boxes, target, size in zip(output.logits, output.boxes, targets, sizes, strict=True)
        ]
        queries = [chosen for chosen, _ in pairs]
        objects = [matched for _, matched in pairs]
        boxes = [of_image[chosen] for of_image, chosen in zip(output.boxes, queries, strict=True)]
        truth = [target["boxes"][matched] for target, matched in zip(targets, objects, strict=True)]
        labels = [target["labels"][matched] for target, matched in zip(targets, objects, strict=True)]
        of_box = sizes.repeat_interleave(torch.tensor([len(item) for item in boxes], device=sizes.device), dim=0)
        loss_l1, loss_giou = box_losses(torch.cat(boxes), torch.cat(truth), of_box)

        attended = torch.cat([of_image[chosen] for of_image, chosen in zip(output.attended, queries, strict=True)])
        boxes = [of_image.detach() for of_image in boxes]
        logits = stage.masks(maps, boxes, attended, shapes)
        aims = [
            project_masks_on_boxes(target["masks"], of_image, matched, logits.shape[-1])
            for target, of_image, matched in zip(targets, boxes, objects, strict=True)
        ]
        return {
            "loss_class": class_loss(output.logits, queries, labels),
            "loss_l1": loss_l1,
            "loss_giou": loss_giou,
            "loss_mask": dice_loss(logits, torch.cat(aims)),
        }

    def _found(self, output: StageOutput, maps: Maps, shapes: Shapes) -> list[Found]:
        kept = [self._best(*of_image) for of_image in zip(output.logits, output.boxes, shapes, strict=True)]
        attended = [states[item.pop("query")] for states, item in zip(output.attended, kept, strict=True)]
        stage = self._stages()[-1]
        masks = stage.masks(maps, [item["boxes"] for item in kept], torch.cat(attended), shapes).sigmoid()[:, None]
        counts = [len(item["boxes"]) for item in kept]
        return [{**item, "masks": of_image} for item, of_image in zip(kept, masks.split(counts), strict=True)]

    def _best(self, logits: Tensor, boxes: Tensor, shape: tuple[int, int]) -> Found:
        """The best-scoring (query, category) pairs of one image; there is no suppression of neighbours to do."""
        scores, places = logits.sigmoid().flatten().sort(descending=True, stable=True)
        places = places[: self.detections][scores[: self.detections] >= LEAST_SCORE]
        query, label = places // logits.shape[1], places % logits.shape[1] + 1
        inside = clip_boxes_to_image(boxes[query], shape)
        visible = remove_small_boxes(inside, SMALLEST_PX)
        return {
            "boxes": inside[visible],
            "labels": label[visible],
            "scores": scores[: len(places)][visible],
            "query": query[visible],
        }


def _sizes(shapes: Shapes, like: Tensor) -> Tensor:
    """(B, 4) width, height, width, height of each image in pixels."""
    return like.new_tensor([[width, height, width, height] for height, width in shapes])


def spread_boxes(count: int) -> Tensor:
    """Centres and sides (N, 4), shares of the image: even cover for any count (Roberts' R2 sequence)."""
    steps = torch.tensor([0.7548776662466927, 0.5698402909980532], dtype=torch.float64)
    centres = (0.5 + torch.arange(1, count + 1)[:, None] * steps) % 1
    return torch.cat([centres, torch.full((count, 2), FIRST_SIDE)], dim=1).float().clamp(0.02, 0.98)
