"""RetinaNet, torchvision's, on our pyramids."""

from __future__ import annotations

from torch import nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from ..backbones import RESNET_COCO, EfficientNetPyramid, choose_backbone, coco_state, resnet_pyramid
from ..config import DetectConfig
from ..pretrained_heads import WIDTH, apply_pretrained_heads
from .input_side import input_side
from .mask_rcnn import ASPECT_RATIOS


def retinanet(categories: int, config: DetectConfig, pretrained: bool = True) -> nn.Module:
    """RetinaNet (Lin et al. 2017): boxes only. Labels 1 .. ``categories``.

    Anchors: three sizes per level, up to the configured one; on EfficientNet-Lite0 the pyramid starts at stride 8,
    since the four-layer heads at stride 4 would cost more than the whole rest.
    """
    if choose_backbone(config.backbone, pretrained) == RESNET_COCO:
        pyramid: nn.Module = resnet_pyramid(coco_state() if pretrained else None)
        sizes = config.anchors(coco=True)
    else:
        pyramid = EfficientNetPyramid(config.width, config.frozen_stages, strides_from=8)
        sizes = config.anchors(coco=False)[1:]
    anchors = AnchorGenerator(
        tuple(tuple(max(1, round(size * 2 ** (-part / 3))) for part in (2, 1, 0)) for size in sizes),
        (ASPECT_RATIOS,) * len(sizes),
    )
    net = RetinaNet(
        pyramid,
        num_classes=categories + 1,
        anchor_generator=anchors,
        topk_candidates=config.proposals_before_nms,
        detections_per_img=config.detections,
        **input_side(config),
    )
    if config.pretrained_heads and net.backbone.out_channels == WIDTH and pretrained:
        apply_pretrained_heads(net, categories, detector="retinanet")
    return net
