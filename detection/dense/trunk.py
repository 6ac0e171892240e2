"""How the dense detector runs its pretrained trunk: the same figures as the module's own forward pass, in less time.

The trunk's batch statistics are frozen, so each normalisation is a fixed scale and shift, which is folded into the
convolution before it (exact but for rounding): no pass of its own over the maps, forwards and backwards.

Under bf16 autocast the depthwise convolutions of stride 2 stay in float32: oneDNN's backward pass of these takes a
hundred times as long in bf16 (50 ms against 0.3 ms for 8 × 672 × 13 × 13). All others are faster in bf16.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = (0, 1, 2, 4, 6)
"""Stages after which the maps at strides 2, 4, 8, 16 and 32 are taken."""


def trunk_features(body: nn.Module, images_BCHW: Tensor) -> list[Tensor]:
    """The maps of an EfficientNet-Lite at strides 2 to 32 of normalised images, sides multiples of 32."""
    value, maps = body.get_submodule("bn1")(body.get_submodule("conv_stem")(images_BCHW)), []
    for number, stage in enumerate(body.get_submodule("blocks").children()):
        for block in stage.children():
            value = _block(block, value)
        if number in TAPS:
            maps.append(value)
    return maps


def depthwise_kernels(body: nn.Module) -> Iterator[Tensor]:
    """The weights of the trunk's depthwise convolutions."""
    for module in body.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            yield module.weight


def _block(block: nn.Module, value_BCHW: Tensor) -> Tensor:
    """An inverted residual (Sandler et al. 2018), or the first stage's block, which does not widen; ReLU6."""
    part = block.get_submodule
    if hasattr(block, "conv_pwl"):
        value = _relu6(_convolved(value_BCHW, part("conv_pw"), part("bn1")))
        value = _relu6(_convolved(value, part("conv_dw"), part("bn2")))
        value = _convolved(value, part("conv_pwl"), part("bn3"))
    else:
        value = _relu6(_convolved(value_BCHW, part("conv_dw"), part("bn1")))
        value = _convolved(value, part("conv_pw"), part("bn2"))
    return value + value_BCHW if value.shape == value_BCHW.shape else value


def _convolved(value_BCHW: Tensor, conv: nn.Module, norm: nn.Module) -> Tensor:
    """Convolution and normalisation in one; as TensorFlow pads, more at the lower and right edge."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight, bias = conv.weight * scale.reshape(-1, 1, 1, 1), norm.bias - norm.running_mean * scale
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    if stride == 1:
        return F.conv2d(value_BCHW, weight, bias, 1, kernel // 2, 1, conv.groups)
    before = (kernel - stride) // 2
    after = kernel - stride - before
    edges = (before, after, before, after)
    if not value_BCHW.requires_grad:
        return F.conv2d(F.pad(value_BCHW, edges), weight, bias, stride, 0, 1, conv.groups)
    with torch.autocast(value_BCHW.device.type, enabled=False):
        return F.conv2d(F.pad(value_BCHW.float(), edges), weight, bias, stride, 0, 1, conv.groups)


def _relu6(value: Tensor) -> Tensor:
    return F.relu6(value, inplace=True)
