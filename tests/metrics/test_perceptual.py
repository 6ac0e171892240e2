"""Perceptual distances: the embedding form is the lpips package's number; flat images stay finite."""

import warnings

import numpy as np
import pytest
import torch

from anomaly_gan.metrics.features import Backbone, pooled_features, square_input
from anomaly_gan.metrics.perceptual import lpips_backbone, pairwise_distances, pooled_and_embedded


def toy_network(images_BCHW):
    levels = [torch.nn.functional.avg_pool2d(images_BCHW / 255 - 0.5, side) for side in (2, 8)]
    return images_BCHW.mean(dim=(2, 3)), levels


TOY = Backbone("Toy", 32, toy_network)


def images(count, seed=0, size=40):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (size, size), dtype=np.uint8) for _ in range(count)]


@pytest.fixture(scope="module")
def reference():
    """The package's own model on a random trunk, and its trunk as torchvision would name it."""
    import lpips

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    trunk = {f"features.{key.split('.', 1)[1]}": value for key, value in model.net.state_dict().items()}
    return model, trunk


def test_embedding_distance_is_the_lpips_packages_number(reference):
    model, trunk = reference
    backbone, weights = lpips_backbone(trunk, 64)
    pictures = images(2, size=64)
    _, vectors = pooled_and_embedded(pictures, backbone, weights)
    x, y = (square_input(picture, 64) / 127.5 - 1 for picture in pictures)
    with torch.no_grad():
        expected = model(x, y).item()
    assert pairwise_distances(vectors[:1], vectors[1:]).item() == pytest.approx(expected, rel=1e-4)


def test_building_lpips_leaves_the_callers_random_stream_alone(reference):
    before = torch.random.get_rng_state()
    lpips_backbone(reference[1], 64)
    assert torch.equal(before, torch.random.get_rng_state())


def test_lpips_below_its_least_size_is_refused(reference):
    with pytest.raises(ValueError, match="at least 64"):
        lpips_backbone(reference[1], 48)


def test_identity_symmetry_and_flat_images():
    pictures = [*images(3), np.zeros((40, 40), np.uint8), np.full((40, 40), 128, np.uint8)]
    _, vectors = pooled_and_embedded(pictures, TOY)
    distances = pairwise_distances(vectors, vectors)
    assert np.isfinite(distances).all()
    assert np.diag(distances) == pytest.approx(0.0, abs=1e-5)
    assert distances == pytest.approx(distances.T, abs=1e-6)
    assert distances[0, 1] > 0.01


def test_features_of_an_image_do_not_depend_on_its_neighbours():
    pictures = images(5)
    together = pooled_features(pictures, TOY)
    assert np.array_equal(together[3:4], pooled_features(pictures[3:4], TOY))
    assert np.array_equal(together[::-1], pooled_features(pictures[::-1], TOY))


def test_gray_and_the_same_picture_tiled_to_colour_agree():
    gray = images(1)[0]
    assert torch.equal(square_input(gray, 48), square_input(np.repeat(gray[:, :, None], 3, axis=2), 48))


def test_nothing_in_gives_nothing_out():
    assert len(pooled_features([], TOY)) == 0
    assert len(pooled_and_embedded([], TOY)[1]) == 0
