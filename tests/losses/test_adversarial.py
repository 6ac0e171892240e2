import math

import pytest
import torch

from anomaly_gan.losses import adversarial as adv

REAL, FAKE = [2.0, -0.5], [0.25, -3.0]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


EXPECTED = {
    "bce_d": mean(-math.log(sigmoid(r)) for r in REAL) + mean(-math.log(1 - sigmoid(f)) for f in FAKE),
    "bce_d2": mean(-math.log(sigmoid(f)) for f in FAKE) + mean(-math.log(1 - sigmoid(r)) for r in REAL),
    "hinge_d": mean([0.0, 1.5]) + mean([1.25, 0.0]),
    "hinge_d2": mean([0.75, 4.0]) + mean([3.0, 0.5]),
    "d2gan_d1": -mean(math.log(softplus(r)) for r in REAL) + mean(map(softplus, FAKE)),
    "d2gan_d2": mean(map(softplus, REAL)) - mean(math.log(softplus(f)) for f in FAKE),
    "bce_g": mean(-math.log(sigmoid(f)) for f in FAKE),
    "bce_g2": mean(-math.log(1 - sigmoid(f)) for f in FAKE),
    "lsgan_d": (mean((r - 1) ** 2 for r in REAL) + mean(f**2 for f in FAKE)) / 2,
    "lsgan_d2": (mean((f - 1) ** 2 for f in FAKE) + mean(r**2 for r in REAL)) / 2,
    "lsgan_g": mean((f - 1) ** 2 for f in FAKE),
    "lsgan_g2": mean(f**2 for f in FAKE),
    "hinge_g": 1.375,
    "hinge_g2": -1.375,
    "d2gan_g1": -mean(map(softplus, FAKE)),
    "d2gan_g2": mean(math.log(softplus(f)) for f in FAKE),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_loss_is_the_number_worked_out_by_hand(name):
    real, fake = (torch.tensor(values).view(2, 1) for values in (REAL, FAKE))
    arguments = (real, fake) if "_d" in name.removeprefix("d2gan") else (fake,)
    assert getattr(adv, name)(*arguments).item() == pytest.approx(EXPECTED[name], rel=1e-5)


def test_alpha_and_beta_weigh_the_logarithms_of_d2gan():
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    assert (adv.d2gan_d1(real, fake, alpha=0.5) - adv.d2gan_d1(real, fake, alpha=1.0)).item() == pytest.approx(
        0.5 * mean(math.log(softplus(r)) for r in REAL), rel=1e-5
    )
    assert (adv.d2gan_d2(real, fake, beta=0.5) - adv.d2gan_d2(real, fake, beta=1.0)).item() == pytest.approx(
        0.5 * mean(math.log(softplus(f)) for f in FAKE), rel=1e-5
    )


PAIRS = [("bce_d", "bce_g", 1), ("bce_d2", "bce_g2", -1), ("hinge_d", "hinge_g", 1), ("hinge_d2", "hinge_g2", -1)]
PAIRS += [("d2gan_d1", "d2gan_g1", 1), ("d2gan_d2", "d2gan_g2", -1)]


@pytest.mark.parametrize(("discriminator", "generator", "sign"), PAIRS)
def test_discriminator_and_generator_pull_a_fake_logit_apart(discriminator, generator, sign):
    """D1 pushes fake logits down and real ones up and G pushes fake ones up; D2 and its G the other way round."""
    real, fake = torch.tensor([0.1], requires_grad=True), torch.tensor([-0.2], requires_grad=True)
    of_real, of_fake = torch.autograd.grad(getattr(adv, discriminator)(real, fake), [real, fake])
    (of_g,) = torch.autograd.grad(getattr(adv, generator)(fake), [fake])
    assert sign * of_real < 0 < sign * of_fake
    assert sign * of_g < 0


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("logit", [-300.0, 300.0])
def test_sure_discriminators_give_finite_losses_and_gradients(name, logit):
    logits = torch.full((2, 1), logit, requires_grad=True)
    arguments = (logits, logits) if "_d" in name.removeprefix("d2gan") else (logits,)
    loss = getattr(adv, name)(*arguments)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_summed_in_full_precision():
    assert adv.bce_d(torch.zeros(2, 1, dtype=torch.bfloat16), torch.zeros(2, 1, dtype=torch.bfloat16)).dtype == (
        torch.float32
    )


def test_r1_is_the_squared_gradient_over_both_inputs():
    crop, image = torch.randn(2, 1, 2, 2, requires_grad=True), torch.randn(2, 1, 4, 4, requires_grad=True)
    weight = torch.tensor(3.0, requires_grad=True)
    logits = weight * crop.sum((1, 2, 3)) + 0.5 * image.square().sum((1, 2, 3))
    penalty = adv.r1(logits, (crop, image))
    expected = 4 * 9 + image.detach().square().sum().item() / 2
    assert penalty.item() == pytest.approx(expected, rel=1e-5)
    penalty.backward()
    assert weight.grad.item() == pytest.approx(2 * 3 * 4)
