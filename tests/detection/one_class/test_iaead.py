"""IAEAD against the paper: its loss by hand, its centre, its schedule, its score."""

import pytest
import torch

from anomaly_gan.engine.loop import make_fabric
from detection.one_class.interface import Normals, score_all
from detection.one_class.methods.iaead import Iaead, svdd_loss
from detection.one_class.methods.parts import away_from_zero
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, train_detector


def test_the_paper_s_settings_are_the_defaults():
    settings = one_class("iaead").configure()
    assert (settings.weight, settings.nu, settings.epochs, settings.batch) == (5e-5, 1.0, 250, 256)
    assert (settings.warm_up, settings.halve_every, settings.optimizer) == (20, 50, "sgd")


def test_soft_boundary_by_hand():
    """Distances 1, 2, 3, 4; nu = 0.5: R is their median 2.5, beyond it lie 3 and 4."""
    z = torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, 4]])
    expected = 6.25 + ((9 - 6.25) + (16 - 6.25)) / (0.5 * 4)
    assert svdd_loss(z, torch.zeros(2), 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_with_nu_one_the_boundary_is_the_least_distance():
    """R = min d, so the term is R² + mean(d² - R²) = mean d²."""
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    assert svdd_loss(z, torch.zeros(8), 1.0).item() == pytest.approx(z.square().sum(1).mean().item(), rel=1e-5)


def test_the_boundary_takes_no_gradient():
    z = torch.tensor([[1.0], [3.0]], requires_grad=True)
    svdd_loss(z, torch.zeros(1), 1.0).backward()
    assert torch.allclose(z.grad, torch.tensor([[0.0], [3.0]]))  # the one on the boundary is not pulled


def test_no_entry_of_the_centre_lies_near_zero():
    centre = away_from_zero(torch.tensor([0.0, 0.05, -0.05, 0.3, -0.3]))
    assert centre.tolist() == pytest.approx([0.1, 0.1, -0.1, 0.3, -0.3])


def test_four_blocks_and_2_85_million_parameters():
    detector = build_detector("iaead", 3, one_class("iaead").configure(), 0)
    count = sum(p.numel() for name in ("encoder", "decoder") for p in detector.nets[name].parameters())
    assert count == pytest.approx(2.85e6, rel=0.01)


def test_learning_rate_halves_as_in_the_authors_code():
    """0.1 / 2^floor(epoch / 50), epochs counted from 1, straight through the warm-up."""
    warm_up, train = build_detector("iaead", 1, one_class("iaead").configure(), 0).phases()
    rates = [warm_up.rate(epoch) for epoch in range(20)] + [train.rate(epoch) for epoch in range(230)]
    assert rates == [0.5 ** (epoch // 50) for epoch in range(1, 251)]


def test_score_is_the_distance_to_the_mean_latent_vector_of_training():
    settings = one_class("iaead").configure(changes={"epochs": 2, "warm_up": 1, "batch": 8})
    detector = build_detector("iaead", 1, settings, 0)
    assert isinstance(detector, Iaead)
    images = torch.randint(0, 256, (20, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    detector.finalize(Normals(images))
    with torch.no_grad():
        z = detector.nets["encoder"](images.float() / 127.5 - 1)
    expected = (z - z.mean(0)).norm(dim=1)
    assert torch.allclose(score_all(detector, images).image, expected, atol=1e-6)


def test_training_gathers_normals_and_leaves_others_outside(tmp_path):
    """A bar in the middle, under noise, is normal; bars near the upper edge lie farther away."""
    generator = torch.Generator().manual_seed(0)

    def bars(count, first, last):
        images = torch.randint(0, 40, (count, 1, 32, 32), dtype=torch.uint8, generator=generator)
        for image, place in zip(images, torch.randint(first, last, (count,), generator=generator), strict=True):
            image[:, place : place + 4].fill_(220)
        return images

    settings = one_class("iaead").configure(changes={"epochs": 12, "warm_up": 4, "batch": 16, "halve_every": 4})
    detector = build_detector("iaead", 1, settings, 0)
    train_detector(detector, bars(96, 14, 15), make_fabric("cpu"), tmp_path, seed=0)
    normal, other = score_all(detector, bars(30, 14, 15)).image, score_all(detector, bars(30, 1, 5)).image
    assert (other[:, None] > normal).float().mean() > 0.9
