"""Which networks measure: the standard ones where their weights are at hand, else the embedded one, named so."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ..core import weights as weight_files
from ..core.devices import place_of
from ..nets.efficientnet_lite import IMAGENET_MEAN, IMAGENET_STD, efficientnet_lite0
from .features import Backbone, pooled_features
from .perceptual import lpips_backbone, pooled_and_embedded

EMBEDDED = "EffLite0"
EMBEDDED_SIZE = 160
"""Side in pixels for EfficientNet-Lite0: its features change little above, its time grows with the square."""
MOST_KEPT_BYTES = 200_000_000
"""Of features that are remembered; what is read beyond them is read again when it is needed again."""
LPIPS_SIZE = 128
INCEPTION_SIZE = 299


Features = tuple[np.ndarray, np.ndarray]
"""Pooled (N, D) and perceptual (N, K), row for row."""


@dataclass(frozen=True)
class Extractors:
    """The networks in use. ``names`` are the figures' names: ``frechet``, ``kernel``, ``perceptual``."""

    frechet: Backbone
    perceptual: Backbone
    level_weights: Sequence[torch.Tensor | None] | None
    names: dict[str, str]
    kept: dict[Hashable, Features] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, pictures: Callable[[], Sequence[np.ndarray]]) -> Features:
        """``read(pictures())``, remembered under ``key`` for who asks again in this process: the next arm of a run."""
        if key in self.kept:
            return self.kept[key]
        found = self.read(pictures())
        if sum(part.nbytes for side in (*self.kept.values(), found) for part in side) <= MOST_KEPT_BYTES:
            self.kept[key] = found
        return found

    def read(self, images: Sequence[np.ndarray]) -> Features:
        """Pooled features (N, D) and perceptual embeddings (N, K) of uint8 images, each looked at once."""
        pooled, embedded = pooled_and_embedded(images, self.perceptual, self.level_weights)
        if self.frechet is not self.perceptual:
            pooled = pooled_features(images, self.frechet)
        return pooled, embedded


def build_extractors(device: str) -> Extractors:
    """The extractors for the weight files that are found; ``device`` is ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: I6, a weight file is damaged.
    """
    return _extractors(place_of(device), weight_files.find("inception_fid"), weight_files.find("alexnet_lpips"))


@lru_cache(maxsize=1)
def _extractors(place: str, inception: Path | None, alexnet: Path | None) -> Extractors:
    """Kept for the stages that follow in this process."""
    embedded = None if inception and alexnet else embedded_backbone(place)
    frechet = _inception(inception, place) if inception else embedded
    perceptual: Backbone | None = embedded
    level_weights: list[torch.Tensor | None] | None = None
    if alexnet:
        trunk = torch.load(alexnet, map_location="cpu", weights_only=True)
        perceptual, level_weights = lpips_backbone(trunk, LPIPS_SIZE, place)
    assert frechet is not None and perceptual is not None
    return Extractors(
        frechet,
        perceptual,
        level_weights,
        {
            "frechet": "FID" if inception else f"FD-{EMBEDDED}",
            "kernel": "KID" if inception else f"KID-{EMBEDDED}",
            "perceptual": "LPIPS" if alexnet else f"PD-{EMBEDDED}",
        },
    )


def embedded_backbone(device: str) -> Backbone:
    """EfficientNet-Lite0, which travels with the project.

    Pooled: the stride-32 maps' means (320). Maps: strides 4 to 32, as AlexNet's in LPIPS begin at 4.
    """
    net = efficientnet_lite0(features_only=True).to(device)
    mean = torch.tensor(IMAGENET_MEAN, device=device)[:, None, None]
    std = torch.tensor(IMAGENET_STD, device=device)[:, None, None]

    def network(images_BCHW: torch.Tensor) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        levels = net((images_BCHW / 255.0 - mean) / std)[1:]
        return levels[-1].mean(dim=(2, 3)), levels

    return Backbone(EMBEDDED, EMBEDDED_SIZE, network, device)


def _inception(path: Path, device: str) -> Backbone:
    from cleanfid.inception_torchscript import InceptionV3W

    net = InceptionV3W(str(path.parent), download=False, resize_inside=False).to(device)

    def network(images_BCHW: torch.Tensor) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        return net(images_BCHW), []

    return Backbone("Inception", INCEPTION_SIZE, network, device)
