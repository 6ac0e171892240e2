"""Patch features of an ImageNet backbone: what the memory, the Gaussians and the classical detectors see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..configs.features import FeaturesConfig
from ..interface import Scores
from .backbones import trunk

CHUNK = 16
"""Photographs that go through the backbone at once: few enough that the widest layer stays in a CPU's caches."""
CONTRAST = 0.15
"""Standard deviation, on the scale 0 to 1, that a photograph gets where its contrast is taken out."""
FLAT = {"global": 0.02, "local": 0.03}
"""Contrast under which a surface counts as flat, so that noise is not blown up."""


class Backbone(nn.Module):
    """uint8 (B, 1 or 3, H, W) -> float32 (B, D, h, w), each position averaged with its neighbours; frozen.

    The network up to the last layer asked for travels with the detector's weights. Grids coarser than the first are
    interpolated to it, as in PatchCore (Roth et al. 2022).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, settings: FeaturesConfig) -> None:
        super().__init__()
        self.trunk, mean, deviation = trunk(settings)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self._side, self._at_least = settings.neighbourhood, settings.at_least
        self._illumination = settings.illumination
        self.features = sum(self.trunk.channels)
        self.register_load_state_dict_pre_hook(_older_names)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Always in evaluation mode: its statistics are ImageNet's."""
        return super().train(False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        x = images_BCHW.float() / 255
        if x.shape[-1] < self._at_least:
            x = F.interpolate(x, (self._at_least, self._at_least), mode="bilinear", align_corners=False)
        x = even(x, self._illumination)
        x = ((x.expand(-1, 3, -1, -1) - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        maps = self.trunk(x)
        if self._side > 1:
            maps = [F.avg_pool2d(one, self._side, 1, self._side // 2, count_include_pad=False) for one in maps]
        grid = maps[0].shape[-2:]
        return torch.cat(
            [
                one if one.shape[-2:] == grid else F.interpolate(one, grid, mode="bilinear", align_corners=False)
                for one in maps
            ],
            dim=1,
        )


def _older_names(net: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Models of before hold the stages themselves, not below ``trunk``."""
    for key in list(state):
        if key.startswith((f"{prefix}stem.", f"{prefix}stages.")):
            state[f"{prefix}trunk.{key.removeprefix(prefix)}"] = state.pop(key)


def even(x_BCHW: Tensor, illumination: str) -> Tensor:
    """Photographs in [0, 1] with their illumination taken out, each by itself, round 0.5; see ``FeaturesConfig``."""
    if illumination == "none":
        return x_BCHW
    if illumination == "global":
        mean = x_BCHW.mean(dim=(1, 2, 3), keepdim=True)
        spread = (x_BCHW - mean).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return (x_BCHW - mean) / (spread + FLAT["global"]) * CONTRAST + 0.5
    if illumination == "shade":
        return x_BCHW - _surroundings(x_BCHW, x_BCHW.shape[-1] // 4 | 1) + 0.5
    side = x_BCHW.shape[-1] // 8 | 1
    mean = _surroundings(x_BCHW, side)
    variance = (_surroundings(x_BCHW * x_BCHW, side) - mean * mean).clamp_min(0)
    return (x_BCHW - mean) / (variance + FLAT["local"] ** 2).sqrt() * CONTRAST + 0.5


def _surroundings(x_BCHW: Tensor, side: int) -> Tensor:
    """Mean over a square window of odd ``side``, mirrored at the border; one direction after the other."""
    wide = F.pad(x_BCHW, (side // 2,) * 4, mode="reflect")
    return F.avg_pool2d(F.avg_pool2d(wide, (side, 1), 1), (1, side), 1)


def chunks(images_BCHW: Tensor, size: int = CHUNK) -> tuple[Tensor, ...]:
    """The photographs a few at a time, or at once where the computation is being written down as a graph."""
    return (images_BCHW,) if torch.compiler.is_compiling() else images_BCHW.split(size)


def turned_over(images_BCHW: Tensor, mirror: str) -> Iterator[Tensor]:
    """The photographs, and their mirror images as ``mirror`` says."""
    yield images_BCHW
    if mirror != "none":
        yield images_BCHW.flip(3)
    if mirror == "hv":
        yield images_BCHW.flip(2)
        yield images_BCHW.flip((2, 3))


def rows(features_BDhw: Tensor) -> Tensor:
    """(B, D, h, w) -> (B * h * w, D)."""
    return features_BDhw.permute(0, 2, 3, 1).flatten(0, 2)


def image_score(distance_Bhw: Tensor, top: float) -> Tensor:
    """(B,): mean of the ``top`` share of distances, of the farthest alone where that share is less than one."""
    flat = distance_Bhw.flatten(1)
    return flat.topk(max(1, round(top * flat.shape[1])), dim=1).values.mean(dim=1)


def enlarged(distance_Bhw: Tensor, side: int) -> Tensor:
    """(B, side, side): the distances at the photographs' own size, by bilinear interpolation."""
    return F.interpolate(distance_Bhw[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]


def patch_scores(distances: Callable[[Tensor], Tensor], images_BCHW: Tensor, top: float) -> Scores:
    """Scores and maps from a detector's ``distances`` (B, C, H, W) -> (B, h, w), a few photographs at a time."""
    distance = torch.cat([distances(chunk) for chunk in chunks(images_BCHW)])
    return Scores(image_score(distance, top), enlarged(distance, images_BCHW.shape[-1]))
