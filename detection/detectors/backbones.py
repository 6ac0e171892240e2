"""Pretrained feature pyramids for the detectors. Weights come with the installation or lie on this machine."""

from __future__ import annotations

import re
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from anomaly_gan.core import weights
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.nets.efficientnet_lite import CHANNELS, efficientnet_lite0

from .config import DetectConfig
from .registry import detector

COCO_WEIGHTS = "maskrcnn_resnet50_fpn_coco"
EFFICIENTNET, RESNET_COCO = "efficientnet_lite0", "resnet50_coco"


def choose_backbone(wanted: str, pretrained: bool = True) -> str:
    """``auto`` is the COCO-trained ResNet-50 where its weight file is at hand, else EfficientNet-Lite0.

    Without ``pretrained`` a backbone named outright needs no file.

    Raises:
        ConfigError: the ResNet is asked for by name and its weights are not here.
    """
    if wanted == EFFICIENTNET or (wanted == RESNET_COCO and not pretrained):
        return wanted
    found = weights.find(COCO_WEIGHTS)
    if wanted == RESNET_COCO and found is None:
        raise ConfigError(
            f"backbone: {RESNET_COCO} needs the weight file {COCO_WEIGHTS}, which is not on this "
            f"machine; fetch it with `anomaly-gan weights fetch {COCO_WEIGHTS}` or use {EFFICIENTNET}"
        )
    return RESNET_COCO if found else EFFICIENTNET


def backbone_of(config: DetectConfig) -> str:
    """The backbone that a detector of this configuration stands on here; those with a trainer of their own have one."""
    return EFFICIENTNET if detector(config.detector).trainer else choose_backbone(config.backbone)


class EfficientNetPyramid(nn.Module):
    """EfficientNet-Lite0 and a feature pyramid: maps of ``width`` channels at strides 4 (or 8), 16, 32, 64.

    Batch statistics are frozen: with two images a batch they would be noise, and BatchNorm stays in evaluation
    mode whatever ``train()`` says. The stem and the first ``frozen_stages`` of the seven stages keep their weights.
    """

    def __init__(self, width: int, frozen_stages: int, strides_from: int = 4) -> None:
        super().__init__()
        self.first = {4: 1, 8: 2}[strides_from]
        self.body = efficientnet_lite0(features_only=True)
        stages = [part for name, part in self.body.named_modules() if re.fullmatch(r"blocks\.\d", name)]
        self.fpn = FeaturePyramidNetwork(list(CHANNELS[self.first :]), width, extra_blocks=LastLevelMaxPool())
        self.out_channels = width
        for module in self.body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
        for part in (self.body.get_submodule("conv_stem"), *stages[:frozen_stages]):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetPyramid:
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, images_BCHW: Tensor) -> OrderedDict[str, Tensor]:
        maps = self.body(images_BCHW)[self.first :]
        return self.fpn(OrderedDict((str(level), item) for level, item in enumerate(maps)))


def coco_state() -> dict[str, Tensor]:
    """The COCO-trained Mask R-CNN (torchvision's first version), as tensors by name."""
    path = weights.find(COCO_WEIGHTS)
    if path is None:
        raise ConfigError(f"backbone: the weight file {COCO_WEIGHTS} is not on this machine")
    return torch.load(path, map_location="cpu", weights_only=True)


def resnet_pyramid(state: dict[str, Tensor] | None) -> nn.Module:
    """ResNet-50 with a pyramid of 256 channels at strides 4 to 64, from the COCO-trained Mask R-CNN (or bare).

    The stem and the first stage stay as they are, and so do all batch statistics (epsilon 0, as they were trained).
    """
    body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    pyramid = _resnet_fpn_extractor(body, trainable_layers=3)
    if state is not None:
        pyramid.load_state_dict(
            {name.removeprefix("backbone."): tensor for name, tensor in state.items() if name.startswith("backbone.")}
        )
    for module in pyramid.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0
    return pyramid
