"""The GANomaly family: hand-computed losses, shapes of the papers, what its training and its two scorings promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.engine.loop import make_fabric
from detection.one_class.configs.skip_ganomaly import AdversarialConfig, SkipGanomalyConfig
from detection.one_class.interface import PublishedScoring, score_all
from detection.one_class.methods.ganomaly import GanomalyTask
from detection.one_class.methods.ganomaly_nets import FeatureDiscriminator, SkipUNet, batch_statistics
from detection.one_class.methods.skip_ganomaly import SkipTask
from detection.one_class.methods.skip_ganomaly_pp import Aspp, Residual, ResidualGenerator, unit_pixels
from detection.one_class.methods.skip_losses import (
    blended,
    contextual_loss,
    feature_loss,
    squared_distance,
    to_unit,
)
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, state_of, train_detector

FAMILY = ("skip_ganomaly_pp", "skip_ganomaly", "ganomaly")
TINY = {"width": 4, "latent": 8, "batch": 8, "epochs": 1, "size": 16, "precision": "32-true"}


def tiny(name: str, **changes):
    return build_detector(name, 1, one_class(name).configure("quick", {**TINY, **changes}), 3)


def images(number: int, seed: int = 0) -> torch.Tensor:
    """Smooth images: a slope of random direction, and a little noise."""
    stream = torch.Generator().manual_seed(seed)
    across = torch.linspace(-1, 1, 16)
    slope = torch.randn(number, 2, 1, 1, generator=stream)
    plain = slope[:, :1] * across[:, None] + slope[:, 1:] * across[None, :]
    noise = 0.1 * torch.randn(number, 1, 16, 16, generator=stream)
    return (128 + 40 * (plain + noise)).clamp(0, 255).to(torch.uint8)


def test_losses_by_hand():
    first, second = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    assert contextual_loss(first, second).item() == pytest.approx(6 / 4)
    assert feature_loss(first, second).item() == pytest.approx(14 / 4)
    assert squared_distance(first, second).tolist() == pytest.approx([5.0, 2.0])
    assert blended(torch.tensor([2.0]), torch.tensor([4.0]), 0.1).item() == pytest.approx(0.9 * 2 + 0.1 * 4)
    assert to_unit(torch.tensor([3.0, 1.0, 2.0])).tolist() == pytest.approx([1.0, 0.0, 0.5])


def test_full_size_has_the_specified_parameters_and_shapes():
    settings = one_class("skip_ganomaly_pp").configure("full")
    detector = build_detector("skip_ganomaly_pp", 3, settings, 0)
    count = sum(parameter.numel() for net in detector.nets.values() for parameter in net.parameters())
    assert count == pytest.approx(9.2e6, rel=0.02)
    generator = detector.nets["generator"].eval()
    seen = []
    generator.bridge.register_forward_hook(lambda _, given, made: seen.extend([given[0].shape[1:], made.shape[1:]]))
    again = generator(unit_pixels(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)))
    assert seen == [(256, 4, 4), (512, 4, 4)]
    assert again.shape == (2, 3, 32, 32) and again.min() >= 0 and again.max() <= 1


def test_residual_unit_is_its_shortcut_where_its_convolutions_are_zero():
    unit = Residual(3, 5, 2).eval()
    nn.init.zeros_(unit.body[-1].weight)
    nn.init.zeros_(unit.body[-1].bias)
    x = torch.randn(2, 3, 8, 8)
    strided = nn.functional.conv2d(x, unit.shortcut.weight, unit.shortcut.bias, stride=2)
    torch.testing.assert_close(unit(x), strided)


def test_image_pooling_lets_every_pixel_see_every_other():
    x = torch.randn(1, 4, 16, 16)
    moved = x.clone()
    moved[0, :, 15, 15] += 5
    for pooling in (True, False):
        bridge = Aspp(4, 6, (1, 2, 3), image_pooling=pooling).eval()
        assert torch.equal(bridge(x)[..., 0, 0], bridge(moved)[..., 0, 0]) != pooling


def test_skips_carry_the_image_past_the_bridge():
    x = torch.rand(1, 1, 16, 16)
    for skips in (True, False):
        torch.manual_seed(0)
        net = ResidualGenerator(1, 4, skips=skips).eval()
        net.bridge.register_forward_hook(lambda _, given, made: torch.zeros_like(made))
        assert torch.equal(net(x), net(1 - x)) != skips


def test_u_net_halves_to_one_pixel():
    net = SkipUNet(3, 32, 4).eval()
    seen = []
    net.downs[-1].register_forward_hook(lambda _, given, made: seen.append(made.shape))
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 3, 32, 32)
    assert seen == [(2, 32, 1, 1)]


def test_size_must_be_a_power_of_two():
    with pytest.raises(ConfigError, match="power of two"):
        one_class("ganomaly").configure("quick", {"size": 48})


@pytest.mark.parametrize("name", FAMILY)
def test_learns_to_reproduce_and_leaves_no_trace_of_published_scoring(name, tmp_path: Path):
    detector = tiny(name, epochs=8, lr=2e-3)
    assert isinstance(detector, PublishedScoring)
    train_detector(detector, images(32), make_fabric("cpu"), tmp_path, seed=1)
    rows = (tmp_path / "train" / "losses.csv").read_text().splitlines()
    at = rows[0].split(",").index("generator/contextual")
    assert float(rows[-1].split(",")[at]) < 0.7 * float(rows[1].split(",")[at])

    honest = score_all(detector, images(9, seed=5))
    before = state_of(detector)
    published = detector.score_published(torch.cat([images(65, seed=2)]))
    assert published.shape == (65,) and published.min() == 0 and published.max() == 1
    after = state_of(detector)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(score_all(detector, images(9, seed=5)).image, honest.image)
    assert honest.map_BHW is not None and honest.map_BHW.shape == (9, 16, 16)


@pytest.mark.parametrize("name", FAMILY)
def test_published_scores_depend_on_neighbours_and_honest_ones_do_not(name):
    detector = tiny(name)
    first, others = images(8, seed=1), 255 - images(56, seed=2) // 4
    alone, beside = detector.score_published(first), detector.score_published(torch.cat([first, others]))[:8]
    assert (alone / alone.max() - beside / beside.max()).abs().max() > 1e-3  # honest ones: 1e-5
    one = score_all(detector, first).image
    torch.testing.assert_close(score_all(detector, torch.cat([first, others])).image[:8], one, rtol=1e-5, atol=1e-5)


def test_standardised_score_of_the_normals(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(SkipGanomalyConfig, "feature_share", 0.0)
    detector = tiny("skip_ganomaly")
    normals = images(32)
    train_detector(detector, normals, make_fabric("cpu"), tmp_path, seed=1)
    scores = score_all(detector, normals).image
    assert scores.mean().item() == pytest.approx(0, abs=1e-3)
    assert scores.std(correction=0).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["skip_ganomaly_pp", "ganomaly"])
def test_a_discriminator_that_has_won_starts_anew(name, monkeypatch):
    for threshold, anew in ((1e-5, False), (1e9, True)):
        monkeypatch.setattr(AdversarialConfig, "reinitialise_below", threshold)
        detector = tiny(name)
        task = next(iter(detector.phases())).task()
        assert isinstance(task, SkipTask | GanomalyTask)
        task.after_step(0)  # before any step there is no loss to judge by
        before = (
            detector.nets["discriminator"].pyramid
            if name == "ganomaly"
            else detector.nets["discriminator"].encoder.pyramid
        )
        weight = before[0].weight.clone()
        task.updates()[1].losses(task.forward(images(8)))
        task.after_step(0)
        assert torch.equal(before[0].weight, weight) != anew


def test_discriminator_lowers_the_feature_distance_only_where_asked(monkeypatch):
    for both in (True, False):
        monkeypatch.setattr(SkipGanomalyConfig, "features_in_discriminator", both)
        task = next(iter(tiny("skip_ganomaly").phases())).task()
        generator, discriminator = task.updates()
        passed = task.forward(images(8))
        assert set(generator.losses(passed)) == {"adversarial", "contextual", "features"}
        assert ("features" in discriminator.losses(passed)) == both


def test_batch_statistics_restores_after_a_failure():
    nets: dict[str, nn.Module] = {"d": FeatureDiscriminator(1, 16, 4, 8).eval()}
    before = {key: value.clone() for key, value in nets["d"].state_dict().items()}
    with pytest.raises(ZeroDivisionError), batch_statistics(nets):
        assert nets["d"].training
        nets["d"](torch.randn(4, 1, 16, 16))
        raise ZeroDivisionError
    assert not nets["d"].training
    assert all(torch.equal(value, before[key]) for key, value in nets["d"].state_dict().items())
