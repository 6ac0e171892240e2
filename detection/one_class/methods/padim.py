"""Gaussians of patch features by their place in the photograph, after PaDiM (Defard et al., ICPR workshops 2021).

Deviation: the backbone is the embedded EfficientNet-Lite0; all features may be used in place of a random subset; the
ridge is a share of the mean variance (0.01 outright in the paper, for other features); the score may be the mean of the
farthest positions (the farthest alone in the paper). Besides the paper's Gaussian per position there may be one per row
or one for all, and the mean of the distances counts: those per position know where a part's edges are, those per row
see what is odd at an edge that wanders from photograph to photograph.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..configs.features import PadimConfig
from ..interface import Normals, Phase, Scores
from .deep_features import Backbone, patch_scores, turned_over

LEAST_VARIANCE = 1e-8
"""Added to every variance: a feature that never changes still has a Gaussian."""


def grouped(features_BDhw: Tensor, place: str) -> Tensor:
    """(P, D, M): M samples for each of P Gaussians, one per ``position``, per ``row``, or one for ``anywhere``."""
    if place == "position":
        return features_BDhw.permute(2, 3, 1, 0).flatten(0, 1)
    if place == "row":
        return features_BDhw.permute(2, 1, 0, 3).flatten(2)
    return features_BDhw.transpose(0, 1).flatten(1)[None]


def ungrouped(values_PM: Tensor, place: str, height: int, width: int) -> Tensor:
    """(B, h, w) from values in the order of ``grouped``."""
    if place == "position":
        return values_PM.T.unflatten(1, (height, width))
    if place == "row":
        return values_PM.unflatten(1, (-1, width)).transpose(0, 1)
    return values_PM[0].unflatten(0, (-1, height, width))


class Gaussians(nn.Module):
    """``mean`` (P, d) and ``whiten`` (P, d, d), the inverse Cholesky factors of the covariances."""

    mean: Tensor
    whiten: Tensor

    def __init__(self, place: str, features: int) -> None:
        super().__init__()
        self.place = place
        self.register_buffer("mean", torch.zeros(1, features))
        self.register_buffer("whiten", torch.eye(features)[None])

    def forward(self, features_BDhw: Tensor) -> Tensor:
        """(B, h, w): Mahalanobis distance at each position, ||inverse(L) (x - mean)|| with L L' the covariance."""
        away = grouped(features_BDhw, self.place) - self.mean[:, :, None]
        distance = torch.matmul(self.whiten, away).square().sum(dim=1).sqrt()
        return ungrouped(distance, self.place, *features_BDhw.shape[-2:])

    def fit(self, chunks_BDhw: Iterable[Tensor], ridge: float) -> None:
        """Means and covariances in one pass over the normals' features, ``ridge`` times the mean variance added.

        Sums are taken from the first chunk's mean, so that float32 keeps their digits.
        """
        count, origin, total, squares = 0, torch.zeros(0), torch.zeros(0), torch.zeros(0)
        for chunk in chunks_BDhw:
            samples = grouped(chunk, self.place)
            if not count:
                origin = samples.mean(dim=2, keepdim=True)
                total, squares = torch.zeros_like(origin), samples.new_zeros(*samples.shape[:2], samples.shape[1])
            away = samples - origin
            total += away.sum(dim=2, keepdim=True)
            squares.baddbmm_(away, away.mT)
            count += samples.shape[2]
        mean = total / count
        squares.sub_(count * (mean @ mean.mT)).div_(max(1, count - 1))
        variance = squares.diagonal(dim1=1, dim2=2)
        variance += ridge * variance.mean(dim=1, keepdim=True) + LEAST_VARIANCE
        one = torch.eye(squares.shape[1], device=squares.device).expand_as(squares)
        self.mean = (origin + mean)[:, :, 0]
        self.whiten = torch.linalg.solve_triangular(torch.linalg.cholesky(squares), one, upper=False)


class Subset(nn.Module):
    """``indices`` (d,) of the features that are looked at."""

    indices: Tensor

    def __init__(self, indices: Tensor) -> None:
        super().__init__()
        self.register_buffer("indices", indices)


class Padim:
    """Learns in ``setup`` alone; the distance is the mean of those of its kinds of Gaussians."""

    def __init__(self, settings: PadimConfig) -> None:
        self.settings = settings
        self._backbone = Backbone(settings)
        wide = self._backbone.features
        self._subset = Subset(torch.randperm(wide)[: settings.features or wide].sort().values)
        self._gaussians = [Gaussians(place, len(self._subset.indices)) for place in settings.places]
        self.nets: dict[str, nn.Module] = {"backbone": self._backbone, "subset": self._subset}
        self.nets |= {f"by_{one.place}": one for one in self._gaussians}

    @torch.no_grad()
    def setup(self, normals: Normals) -> None:
        settings = self.settings
        features = [
            self._features(turned)
            for chunk in normals.chunks(settings.batch)
            for turned in turned_over(chunk, settings.mirror)
        ]
        for gaussians in self._gaussians:
            gaussians.fit(features, settings.ridge)

    def _features(self, images_BCHW: Tensor) -> Tensor:
        return self._backbone(images_BCHW).index_select(1, self._subset.indices)

    def phases(self) -> list[Phase]:
        return []

    def finalize(self, normals: Normals) -> None:
        pass

    def distances(self, images_BCHW: Tensor) -> Tensor:
        """(B, h, w)."""
        features = self._features(images_BCHW)
        return torch.stack([gaussians(features) for gaussians in self._gaussians]).mean(dim=0)

    def score(self, images_BCHW: Tensor) -> Scores:
        return patch_scores(self.distances, images_BCHW, self.settings.top)


def padim(channels: int, settings: PadimConfig) -> Padim:
    """Gray and colour photographs alike: the backbone sees gray as three equal channels."""
    return Padim(settings)
