"""AnoGAN and EGBAD: what they search for, whom they confuse, and which weights score."""

import pytest
import torch

from anomaly_gan.engine.loop import Schedule, fit, make_fabric
from anomaly_gan.engine.task import frozen
from detection.one_class.interface import score_all
from detection.one_class.methods.ano_gan import AnoGan
from detection.one_class.methods.egbad import Egbad, EgbadTask
from detection.one_class.methods.parts import mixed_distance
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector

SMALL = {"size": 16, "width": 4, "latent": 8, "batch": 8, "precision": "32-true"}


def small(name, **changes):
    return build_detector(name, 1, one_class(name).configure("quick", {**SMALL, **changes}), seed=0)


def pictures(count, seed=0):
    return torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_the_papers_settings_are_the_defaults():
    ano_gan, egbad = one_class("ano_gan").configure(), one_class("egbad").configure()
    assert (ano_gan.search_steps, ano_gan.feature_weight, ano_gan.epochs) == (500, 0.1, 20)
    assert (egbad.lr, egbad.batch, egbad.latent, egbad.average, egbad.feature_weight) == (1e-5, 100, 200, 0.999, 0.1)


def test_the_distance_by_hand():
    x, again = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0], [0, -1]]]])
    features, features_again = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 5.0]])
    assert mixed_distance(x, again, features, features_again, 0.1).item() == pytest.approx(0.9 * 0.5 + 0.1 * 1.5)


def test_a_longer_search_comes_nearer_to_the_image():
    scores = []
    for steps in (1, 40):
        detector = small("ano_gan", search_steps=steps, search_lr=0.1)
        assert isinstance(detector, AnoGan)
        generator = detector.nets["generator"].eval()
        with torch.no_grad():
            for parameter in generator.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(10)  # untrained, it gives nearly the same image for every code
            own = generator(torch.randn(4, 8, generator=torch.Generator().manual_seed(1)))
            scores.append(score_all(detector, ((own + 1) * 127.5).round().byte()).image)
    assert (scores[1] < scores[0]).all()


def test_the_search_ends_the_same_alone_and_in_a_crowd():
    detector, images = small("ano_gan", search_steps=40), pictures(40)
    together = score_all(detector, images)
    for place in (0, 33):
        alone = score_all(detector, images[place : place + 1])
        assert torch.allclose(alone.image, together.image[place], rtol=1e-5, atol=1e-6)
    assert together.map_BHW.shape == (40, 16, 16)


def test_scoring_leaves_no_gradient_on_the_nets():
    detector = small("ano_gan", search_steps=2)
    score_all(detector, pictures(2))
    assert all(p.grad is None and p.requires_grad for net in detector.nets.values() for p in net.parameters())


@pytest.mark.parametrize("name", ["ano_gan", "egbad"])
def test_the_discriminator_learns_to_tell_and_is_held_still_otherwise(name):
    torch.manual_seed(0)
    task = small(name, lr=1e-3).phases()[0].task()
    first, other = task.updates()
    with frozen(other.frozen):
        sum(other.losses(task.forward(pictures(8))).values()).backward()
    assert all(p.grad is None for p in task.nets["discriminator"].parameters())
    losses = []
    for _ in range(12):
        loss = first.losses(task.forward(pictures(8)))["adversarial"]
        first.optimizer.zero_grad()
        loss.backward()
        first.optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", ["ano_gan", "egbad"])
def test_both_players_move_in_a_training(name, tmp_path):
    detector = small(name)
    task = detector.phases()[0].task()
    before = {key: net.state_dict()[next(iter(net.state_dict()))].clone() for key, net in task.nets.items()}
    fit(task, lambda step: pictures(8, step), Schedule(3, seed=0), make_fabric("cpu"), tmp_path)
    for key, net in task.nets.items():
        kept = torch.equal(before[key], net.state_dict()[next(iter(net.state_dict()))])
        assert kept == (key == "start")


def test_what_scores_follows_what_is_trained(tmp_path):
    detector = small("egbad", lr=1e-3, average=0.5)
    assert isinstance(detector, Egbad)
    task = detector.phases()[0].task()
    assert isinstance(task, EgbadTask)
    name = "on_code.0.weight"
    followed, average = task.nets["discriminator"], detector.nets["discriminator"]
    before, start = followed.get_parameter(name).clone(), average.get_parameter(name).clone()
    with torch.no_grad():
        followed.get_parameter(name).add_(1.0)
    task.after_step(1000)
    assert torch.equal(before, start)
    assert torch.allclose(average.get_parameter(name), start + 0.5, atol=1e-6)
