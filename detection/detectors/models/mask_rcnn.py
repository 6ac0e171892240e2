"""Mask R-CNN: torchvision's, with heads lean enough to train on a CPU."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from ..backbones import RESNET_COCO, EfficientNetPyramid, choose_backbone, coco_state, resnet_pyramid
from ..config import DetectConfig
from ..pretrained_heads import HEAD_WIDTH, WIDTH, apply_pretrained_heads
from .input_side import input_side

ASPECT_RATIOS = (0.5, 1.0, 2.0)
NEW_FOR_EVERY_DATASET = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")


def mask_rcnn(categories: int, config: DetectConfig, pretrained: bool = True) -> nn.Module:
    """Mask R-CNN (He et al. 2017). Labels 1 .. ``categories``; 0 is background.

    On EfficientNet-Lite0 the heads are lean: a pyramid of ``width`` channels, a box head of ``head_width``, a mask
    head of two convolutions. On the COCO-trained ResNet-50 they keep their trained widths and weights, and only the
    last layer of each head is new. ``pretrained=False`` gives the bare net, for weights about to be loaded into it.
    """
    if choose_backbone(config.backbone, pretrained) == RESNET_COCO:
        return _coco_mask_rcnn(categories, config, coco_state() if pretrained else None)
    width = config.width
    levels = ["0", "1", "2", "3"]
    net = MaskRCNN(
        EfficientNetPyramid(width, config.frozen_stages),
        num_classes=None,
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(width * 7 * 7, config.head_width),
        box_predictor=FastRCNNPredictor(config.head_width, categories + 1),
        mask_roi_pool=MultiScaleRoIAlign(levels, output_size=14, sampling_ratio=2),
        mask_head=MaskRCNNHeads(width, [width, width], dilation=1),
        mask_predictor=MaskRCNNPredictor(width, width, categories + 1),
        **_common(config, coco=False),
    )
    _quiet_mask_start(net)
    if config.pretrained_heads and (width, config.head_width) == (WIDTH, HEAD_WIDTH) and pretrained:
        apply_pretrained_heads(net, categories + 1)
    return net


def _coco_mask_rcnn(categories: int, config: DetectConfig, state: dict[str, Tensor] | None) -> nn.Module:
    net = MaskRCNN(resnet_pyramid(state), num_classes=categories + 1, **_common(config, coco=True))
    if state is None:
        return net
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(NEW_FOR_EVERY_DATASET)}
    missing, unexpected = net.load_state_dict(kept, strict=False)
    wrong = [name for name in missing if not name.startswith(NEW_FOR_EVERY_DATASET)] + list(unexpected)
    if wrong:
        raise ValueError(f"not the state of torchvision's Mask R-CNN: {', '.join(wrong[:5])}")
    _quiet_mask_start(net)
    return net


def _quiet_mask_start(net: MaskRCNN) -> None:
    """torchvision's own start of the new mask layer gives a mask loss of 2 to 6 where a coin toss gives 0.7, and that
    gradient drowns the rest.
    """
    nn.init.normal_(net.roi_heads.mask_predictor.mask_fcn_logits.weight, std=0.001)


def _common(config: DetectConfig, coco: bool) -> dict[str, object]:
    return {
        **input_side(config),
        "rpn_anchor_generator": AnchorGenerator(tuple((size,) for size in config.anchors(coco)), (ASPECT_RATIOS,) * 5),
        "rpn_pre_nms_top_n_train": config.proposals_before_nms,
        "rpn_pre_nms_top_n_test": config.proposals_before_nms,
        "rpn_post_nms_top_n_train": config.proposals,
        "rpn_post_nms_top_n_test": config.proposals,
        "rpn_batch_size_per_image": config.rpn_samples,
        "rpn_fg_iou_thresh": config.rpn_positive_iou,
        "box_batch_size_per_image": config.roi_samples,
        "box_positive_fraction": config.roi_positive_share,
        "box_detections_per_img": config.detections,
    }
