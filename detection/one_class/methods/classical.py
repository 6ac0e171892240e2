"""Classical one-class detectors of scikit-learn on features of the whole photograph.

What is saved are the normals' features and a seed; the estimator is fitted from them again where it is needed, so
nothing is pickled and a loaded detector scores as the one saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..configs.features import IsolationForestConfig, KnnConfig, OcSvmConfig, PooledConfig
from ..interface import Normals, Phase, Scores
from .deep_features import Backbone, chunks, turned_over

Judge = Callable[[np.ndarray], np.ndarray]
"""(B, D) scaled features -> (B,) scores, higher is more abnormal."""


class Remembered(nn.Module):
    """``features`` (N, D) of the normals, scaled; ``shift`` and ``scale`` (D,) lead raw ones there; ``seed`` (1,)."""

    features: Tensor
    shift: Tensor
    scale: Tensor
    seed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(1, 1))
        self.register_buffer("shift", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("seed", torch.randint(2**31, (1,)))
        self.rate: Judge | None = None
        self.register_load_state_dict_post_hook(_forget)

    def learn(self, raw_ND: Tensor) -> None:
        self.shift, self.scale = raw_ND.mean(dim=0), 1 / raw_ND.std(dim=0).clamp_min(1e-6)
        self.features = (raw_ND - self.shift) * self.scale
        self.rate = None


def _forget(module: nn.Module, keys: Any) -> None:
    """Loaded features make the fitted estimator stale."""
    assert isinstance(module, Remembered)
    module.rate = None


class Classical:
    """``fit(features, seed)`` gives the rate."""

    def __init__(self, settings: PooledConfig, fit: Callable[[np.ndarray, int], Judge]) -> None:
        self.settings = settings
        self._fit, self._backbone, self._remembered = fit, Backbone(settings), Remembered()
        self.nets: dict[str, nn.Module] = {"backbone": self._backbone, "remembered": self._remembered}

    def _pooled(self, images_BCHW: Tensor) -> Tensor:
        """(B, D): mean over the positions, and standard deviation where asked for."""
        features = self._backbone(images_BCHW).flatten(2)
        mean = features.mean(dim=2)
        if not self.settings.spread:
            return mean
        deviation = (features - mean[..., None]).square().mean(dim=2).sqrt()
        return torch.cat([mean, deviation], dim=1)

    @torch.no_grad()
    def setup(self, normals: Normals) -> None:
        self._remembered.learn(
            torch.cat(
                [
                    self._pooled(turned)
                    for chunk in normals.chunks(self.settings.batch)
                    for turned in turned_over(chunk, self.settings.mirror)
                ]
            )
        )

    def phases(self) -> list[Phase]:
        return []

    def finalize(self, normals: Normals) -> None:
        pass

    def score(self, images_BCHW: Tensor) -> Scores:
        remembered = self._remembered
        if remembered.rate is None:
            remembered.rate = self._fit(remembered.features.double().cpu().numpy(), int(remembered.seed))
        raw = torch.cat([self._pooled(chunk) for chunk in chunks(images_BCHW)])
        scaled = (raw - remembered.shift) * remembered.scale
        return Scores(torch.from_numpy(remembered.rate(scaled.double().cpu().numpy())).float())


def knn(channels: int, settings: KnnConfig) -> Classical:
    """Mean distance to the nearest normal photographs."""

    def fit(features: np.ndarray, seed: int) -> Judge:
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=min(settings.neighbours, len(features))).fit(features)
        return lambda rows: near.kneighbors(rows)[0].mean(axis=1)

    return Classical(settings, fit)


def oc_svm(channels: int, settings: OcSvmConfig) -> Classical:
    """Negative signed distance to the boundary of a one-class support vector machine."""

    def fit(features: np.ndarray, seed: int) -> Judge:
        from sklearn.svm import OneClassSVM

        machine = OneClassSVM(nu=settings.nu, gamma=settings.gamma / features.shape[1]).fit(features)
        return lambda rows: -machine.decision_function(rows)

    return Classical(settings, fit)


def isolation_forest(channels: int, settings: IsolationForestConfig) -> Classical:
    """How early a photograph is isolated by random cuts."""

    def fit(features: np.ndarray, seed: int) -> Judge:
        from sklearn.ensemble import IsolationForest

        forest = IsolationForest(n_estimators=settings.trees, random_state=seed % 2**31).fit(features)
        return lambda rows: -forest.score_samples(rows)

    return Classical(settings, fit)
