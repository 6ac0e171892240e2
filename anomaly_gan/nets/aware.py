"""The abnormal aware network (Liu et al. 2023, section 4.2.1, Fig. 6): VGG-16 up to relu3_3, with three taps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

VGG16_LAYERS = (0, 2, 5, 7, 10, 12, 14)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
POOL_AFTER, TAP_AFTER = (2, 4), (2, 5, 7)


class AwareNet(nn.Module):
    """Seven 3x3 convolutions with ReLU, 2x2 max pooling after the second and fourth, taps after 2, 5 and 7.

    Takes crops_BCHW in [-1,1] (paper: 3x64x64); gray ones are shown to a net of three channels as three equal ones.
    1.74 M parameters at width 64. Used frozen: were it trained with
    the generator, features of zero would make the aware loss vanish.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = [in_channels, width, width, 2 * width, 2 * width, 4 * width, 4 * width, 4 * width]
        self.out_channels = widths[-1]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in pairwise(widths))
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))

    def forward(self, crops_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Taps: (B, w, S, S), (B, 4w, S/4, S/4), (B, 4w, S/4, S/4), all >= 0."""
        crops = crops_BCHW.expand(-1, self.mean.shape[1], -1, -1)
        features, taps = (crops - self.mean) / self.std, []
        for position, conv in enumerate(self.convs, start=1):
            features = F.relu(conv(features))
            if position in TAP_AFTER:
                taps.append(features)
            if position in POOL_AFTER:
                features = F.max_pool2d(features, 2)
        return taps

    def load_vgg16(self, state_dict: Mapping[str, torch.Tensor]) -> None:
        """Take torchvision's VGG-16 weights (``features.N.weight``/``bias``) and its ImageNet normalisation.

        Raises:
            ValueError: this net has not VGG's three input channels and width 64, or the weights lack a layer.
        """
        weights = {}
        for position, layer in enumerate(VGG16_LAYERS):
            for part in ("weight", "bias"):
                name = f"features.{layer}.{part}"
                if name not in state_dict:
                    raise ValueError(f"no {name} in these VGG-16 weights")
                weights[f"{position}.{part}"] = state_dict[name]
        for name, own in self.convs.state_dict().items():
            if own.shape != weights[name].shape:
                raise ValueError(f"VGG-16 has {tuple(weights[name].shape)} at {name}, this net {tuple(own.shape)}")
        self.convs.load_state_dict(weights)
        # VGG expects ([0,1] - mean) / std; ours are in [-1,1] = 2 * [0,1] - 1.
        for buffer, values, shift in ((self.mean, IMAGENET_MEAN, 1.0), (self.std, IMAGENET_STD, 0.0)):
            buffer.copy_(2 * torch.tensor(values).view(1, 3, 1, 1) - shift)


class AwareClassifier(nn.Module):
    """Global average pooling and a linear layer on the last tap: trains an AwareNet where no VGG weights are at hand.

    The classes are the anomaly categories and "normal", on crops of the real training split.
    """

    def __init__(self, net: AwareNet, classes: int) -> None:
        super().__init__()
        self.net = net
        self.head = nn.Linear(net.out_channels, classes)

    def forward(self, crops_BCHW: torch.Tensor) -> torch.Tensor:
        """Crops (B, C, S, S) in [-1,1] -> class logits (B, classes)."""
        return self.head(self.net(crops_BCHW)[-1].mean(dim=(2, 3)))


def freeze(module: nn.Module) -> nn.Module:
    """Switch off the gradients of a module's parameters and put it into evaluation mode; returns the module.

    Gradients still flow through it to its input, as a feature loss needs.
    """
    return module.requires_grad_(False).eval()
