"""Detectors on the embedded backbone: they know normals, find what is odd and where, and load as they were saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.spatial.distance import cdist, mahalanobis

from detection.one_class.configs.features import FeaturesConfig
from detection.one_class.interface import Normals, score_all
from detection.one_class.methods.deep_features import Backbone, even, image_score
from detection.one_class.methods.padim import Gaussians, grouped, ungrouped
from detection.one_class.methods.patch_memory import Memory, k_centre, scaling_of
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, load_state, state_of

TINY: dict[str, dict[str, Any]] = {
    "patch_memory": {"size": 64, "at_least": 64, "layers": (3,), "candidates": 400, "memory": 60},
    "padim": {"size": 64, "at_least": 64, "layers": (3,), "features": 12},
    "knn": {"size": 64, "at_least": 64, "layers": (3,)},
    "oc_svm": {"size": 64, "at_least": 64, "layers": (3,)},
    "isolation_forest": {"size": 64, "at_least": 64, "layers": (3,)},
}


def stripes(count: int, seed: int) -> torch.Tensor:
    """(count, 1, 64, 64) uint8: brushed metal."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(120, 25, (count, 1, 1, 64)) + rng.normal(0, 6, (count, 1, 64, 64))
    return torch.from_numpy(columns.clip(0, 255).astype(np.uint8))


def spoiled(seed: int) -> torch.Tensor:
    """Eight photographs with a dark blot round row 20, column 44."""
    images = stripes(8, seed)
    images[:, :, 14:26, 38:50] = 5
    return images


def trained(name: str) -> Any:
    detector = build_detector(name, 1, one_class(name).configure("full", TINY[name]), 3)
    detector.setup(Normals(stripes(24, 0)))
    return detector


@pytest.mark.parametrize("name", TINY)
def test_what_is_odd_scores_higher_than_new_normals(name: str) -> None:
    detector = trained(name)
    normal, odd = score_all(detector, stripes(12, 1)).image, score_all(detector, spoiled(2)).image
    assert (odd[:, None] > normal[None]).float().mean() > 0.85


@pytest.mark.parametrize("name", ["patch_memory", "padim"])
def test_the_map_points_at_the_blot(name: str) -> None:
    maps = score_all(trained(name), spoiled(2)).map_BHW
    assert maps is not None and maps.shape == (8, 64, 64)
    places = maps.flatten(1).argmax(dim=1)
    assert ((places // 64 - 20).abs() < 12).all() and ((places % 64 - 44).abs() < 12).all()


@pytest.mark.parametrize("name", TINY)
def test_a_loaded_detector_scores_as_the_saved_one(name: str) -> None:
    detector = trained(name)
    other = build_detector(name, 1, one_class(name).configure("full", TINY[name]), 4)
    other.setup(Normals(stripes(10, 9)))
    score_all(other, stripes(2, 1))
    state = state_of(detector)  # of which models of before name the backbone's stages otherwise
    load_state(other, {key.replace("backbone.trunk.", "backbone."): value for key, value in state.items()})
    assert torch.equal(score_all(other, spoiled(2)).image, score_all(detector, spoiled(2)).image)


def test_k_centre_covers_a_line_evenly() -> None:
    points = torch.arange(101.0)[:, None]
    chosen = k_centre(points, 5, torch.Generator().manual_seed(0))
    assert len(set(chosen.tolist())) == 5
    assert (points[:, None, 0] - points[chosen][None, :, 0]).abs().amin(dim=1).max() <= 25


def test_memory_gives_the_distance_to_the_nearest_after_whitening() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + 3).float()
    memory = Memory()
    memory.shift, memory.scale = scaling_of(points, "white")
    white = (points - memory.shift) @ memory.scale
    assert torch.allclose(torch.cov(white.T), torch.eye(4), atol=1e-3)
    memory.bank = white[:50]
    expected = cdist(white.numpy(), white[:50].numpy()).min(axis=1)
    assert np.allclose(memory(points).numpy(), expected, atol=2e-3)


@pytest.mark.parametrize("place", ["position", "row", "anywhere"])
def test_gaussians_measure_mahalanobis_distance(place: str) -> None:
    features = torch.randn(40, 3, 2, 5, generator=torch.Generator().manual_seed(1)) + 7
    gaussians = Gaussians(place, 3)
    gaussians.fit(features.split(16), ridge=0.0)
    samples = grouped(features, place).double().numpy()
    means, inverses = samples.mean(axis=2), [np.linalg.inv(np.cov(one)) for one in samples]
    expected = torch.tensor(
        [
            [mahalanobis(x, mean, inverse) for x in one.T]
            for one, mean, inverse in zip(samples, means, inverses, strict=True)
        ]
    )
    assert torch.allclose(gaussians(features).double(), ungrouped(expected, place, 2, 5), rtol=1e-3)


@pytest.mark.parametrize("kind", ["global", "shade", "local"])
def test_illumination_is_taken_out(kind: str) -> None:
    image = stripes(1, 0).float() / 255
    other = image + 0.2 if kind == "shade" else image * 0.5
    left = (even(image, kind) - even(other, kind)).abs().mean()
    assert left < 0.3 * (image - other).abs().mean()


def test_the_backbone_stays_frozen_and_in_evaluation_mode() -> None:
    backbone = Backbone(FeaturesConfig(size=64, layers=(3, 5))).train()
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    small = backbone(torch.zeros(2, 1, 32, 32, dtype=torch.uint8))
    assert small.shape == (2, backbone.features, 16, 16)


def test_the_score_is_the_mean_of_the_farthest() -> None:
    distance = torch.arange(100.0).view(1, 10, 10)
    assert image_score(distance, 0.0).item() == 99 and image_score(distance, 0.04).item() == 97.5


def test_layers_must_be_in_order_and_neighbourhoods_odd() -> None:
    with pytest.raises(ValidationError, match="finest first"):
        FeaturesConfig(layers=(5, 3))
    with pytest.raises(ValidationError, match="odd"):
        FeaturesConfig(neighbourhood=2)
