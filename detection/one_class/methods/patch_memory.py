"""A memory of patch features of normal photographs, after PatchCore (Roth et al., CVPR 2022).

Deviation: the backbone is the embedded EfficientNet-Lite0 (nothing is downloaded), features may be scaled, a patch's
place may count, and the score is the mean of the farthest patches without PatchCore's reweighting by the neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..configs.features import PatchMemoryConfig
from ..interface import Normals, Phase, Scores
from .deep_features import Backbone, patch_scores, rows, turned_over

LEAST_VARIANCE = 1e-3
"""Of the largest variance: directions of less do not grow further when features are whitened."""


class Memory(nn.Module):
    """``bank`` (M, D) scaled features; ``shift`` (D,) and ``scale`` (D, D) lead raw ones there: (x - shift) @ scale.
    ``seed`` (1,) is what chance in filling the memory starts from."""

    bank: Tensor
    shift: Tensor
    scale: Tensor
    seed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.zeros(1, 1))
        self.register_buffer("shift", torch.zeros(1))
        self.register_buffer("scale", torch.eye(1))
        self.register_buffer("seed", torch.randint(2**31, (1,)))

    def forward(self, features_PD: Tensor) -> Tensor:
        """(P,): Euclidean distance of each patch to the nearest in memory."""
        looked_for = (features_PD - self.shift) @ self.scale
        squares = self.bank.square().sum(dim=1) - 2 * looked_for @ self.bank.T
        return (squares.amin(dim=1) + looked_for.square().sum(dim=1)).clamp_min(0).sqrt()


def k_centre(points_PD: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices (count,) of points that cover all: each next one is the farthest from those chosen (Sener & Savarese
    2018). Stays on the device; one matrix-vector product a step."""
    squares = points_PD.square().sum(dim=1)
    last = torch.randint(len(points_PD), (1,), generator=generator).to(points_PD.device)
    nearest = torch.full_like(squares, float("inf"))
    chosen = torch.empty(min(count, len(points_PD)), dtype=torch.long, device=points_PD.device)
    for number in range(len(chosen)):
        chosen[number : number + 1] = last
        point = points_PD.index_select(0, last)
        nearest = torch.minimum(nearest, squares + squares[last] - 2 * (points_PD @ point.T)[:, 0])
        last = nearest.argmax(dim=0, keepdim=True)
    return chosen


def scaling_of(points_PD: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """(shift (D,), scale (D, D)) after which the points have mean 0 and, unless ``none``, variance 1."""
    shift = points_PD.mean(dim=0)
    if kind == "none":
        return shift, torch.eye(len(shift), device=shift.device)
    covariance = torch.cov(points_PD.T)
    if kind == "deviation":
        variance = covariance.diagonal()
        return shift, torch.diag(variance.clamp_min(LEAST_VARIANCE**2 * variance.max()).rsqrt())
    variances, directions = torch.linalg.eigh(covariance)
    return shift, directions * variances.clamp_min(LEAST_VARIANCE * variances[-1]).rsqrt()


class PatchMemory:
    """Learns in ``setup`` alone; ``score`` is a distance to the nearest remembered patch."""

    def __init__(self, settings: PatchMemoryConfig) -> None:
        self.settings = settings
        self._backbone, self._memory = Backbone(settings), Memory()
        self._position = 0.0 if settings.frame == "tiles" else settings.position
        self.nets: dict[str, nn.Module] = {"backbone": self._backbone, "memory": self._memory}

    @torch.no_grad()
    def setup(self, normals: Normals) -> None:
        settings, memory = self.settings, self._memory
        chance = torch.Generator().manual_seed(int(memory.seed))
        points = self._candidates(normals, chance)
        look = points[:, :-2] if self._position else points
        shift, scale = scaling_of(look, settings.scaling)
        if self._position:
            weight = self._position * float((((look - shift) @ scale).square().sum(dim=1).mean()).sqrt())
            shift = torch.cat([shift, shift.new_zeros(2)])
            scale = torch.block_diag(scale, weight * torch.eye(2, device=scale.device))
        memory.shift, memory.scale = shift, scale
        scaled = (points - shift) @ scale
        if settings.choice == "random":
            kept = torch.randperm(len(scaled), generator=chance)[: settings.memory].to(scaled.device)
        else:
            seen = scaled
            if 0 < settings.projection < scaled.shape[1]:
                onto = torch.randn(scaled.shape[1], settings.projection, generator=chance).to(scaled.device)
                seen = scaled @ onto / settings.projection**0.5
            kept = k_centre(seen, settings.memory, chance)
        memory.bank = scaled[kept].contiguous()

    def _candidates(self, normals: Normals, chance: torch.Generator) -> Tensor:
        """(P, D) patches, the same number from each photograph."""
        copies = {"none": 1, "h": 2, "hv": 4}[self.settings.mirror]
        each = -(-self.settings.candidates // (copies * len(normals)))
        found: list[Tensor] = []
        for chunk in normals.chunks(self.settings.batch):
            for turned in turned_over(chunk, self.settings.mirror):
                features = self._features(turned)
                features = features.flatten(2).transpose(1, 2)
                if each < features.shape[1]:
                    places = torch.rand(features.shape[:2], generator=chance).argsort(dim=1)[:, :each]
                    taken = places.to(features.device)[..., None].expand(-1, -1, features.shape[2])
                    features = features.gather(1, taken)
                found.append(features.flatten(0, 1))
        return torch.cat(found)

    def _features(self, images_BCHW: Tensor) -> Tensor:
        """(B, D, h, w), with each position's place in [-1, 1] as two more features where that counts."""
        features = self._backbone(images_BCHW)
        if not self._position:
            return features
        height, width = features.shape[-2:]
        down = torch.linspace(-1, 1, height, device=features.device)[:, None].expand(height, width)
        across = torch.linspace(-1, 1, width, device=features.device)[None].expand(height, width)
        place = torch.stack([down, across])[None].expand(features.shape[0], -1, -1, -1)
        return torch.cat([features, place], dim=1)

    def phases(self) -> list[Phase]:
        return []

    def finalize(self, normals: Normals) -> None:
        pass

    def distances(self, images_BCHW: Tensor) -> Tensor:
        """(B, h, w): each position's distance to the nearest remembered patch."""
        features = self._features(images_BCHW)
        return self._memory(rows(features)).unflatten(0, (-1, *features.shape[-2:]))

    def score(self, images_BCHW: Tensor) -> Scores:
        return patch_scores(self.distances, images_BCHW, self.settings.top)


def patch_memory(channels: int, settings: PatchMemoryConfig) -> PatchMemory:
    """Gray and colour photographs alike: the backbone sees gray as three equal channels."""
    return PatchMemory(settings)
