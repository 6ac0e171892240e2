import itertools

import pytest
import torch

from anomaly_gan.nets.discriminator import LocalGlobalDiscriminator


def lean(norm: str) -> LocalGlobalDiscriminator:
    torch.manual_seed(0)
    return LocalGlobalDiscriminator(2, 8, 16, (4, 6), features=8, norm=norm)


def test_the_paper_discriminator_has_45_million_parameters():
    """5x5 kernels without bias before batch norm (2 a channel), 4x4 at the end, two FC of 1024, one of 2048 -> 1."""
    widths = [3, 64, 128, 256, 512, 512, 512, 512]

    def subnet(convolutions: int) -> int:
        chain = widths[: convolutions + 1]
        kernels = sum(25 * a * b for a, b in itertools.pairwise(chain))
        return kernels + 2 * sum(chain[1:]) + chain[-1] * 16 * 1024 + 1024

    with torch.device("meta"):
        net = LocalGlobalDiscriminator()
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == subnet(4) + subnet(7) + 2049 == 45_060_225


def test_both_subnets_of_the_paper_end_at_four_by_four():
    with torch.device("meta"):
        net = LocalGlobalDiscriminator()
        local, whole = torch.empty(2, 3, 64, 64), torch.empty(2, 3, 512, 512)
        ends = [net.local_net[:-3](local).shape, net.global_net[:-3](whole).shape]
        logits = net(local, whole)
    assert ends == [(2, 512, 4, 4), (2, 512, 4, 4)]
    assert logits.shape == (2, 1)


def test_the_output_is_a_logit_not_a_probability():
    net = lean("none")
    with torch.no_grad():
        net.head.bias.fill_(-7)
    assert net(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 16, 16)).item() < -1


@pytest.mark.parametrize("which", [0, 1])
def test_both_inputs_move_the_verdict(which):
    net = lean("none")
    inputs = [torch.randn(1, 2, 8, 8), torch.randn(1, 2, 16, 16)]
    before = net(*inputs)
    inputs[which] = inputs[which] + 1
    assert not torch.equal(before, net(*inputs))


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_a_verdict_does_not_depend_on_the_batch(norm):
    net = lean(norm).eval()
    local, whole = torch.randn(3, 2, 8, 8), torch.randn(3, 2, 16, 16)
    torch.testing.assert_close(net(local, whole)[:1], net(local[:1], whole[:1]))


def test_spectral_norm_bounds_every_layer():
    net = lean("spectral")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(50)
        for _ in range(50):
            net(torch.randn(1, 2, 8, 8), torch.randn(1, 2, 16, 16))
    weights = [layer.weight for layer in net.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weights) == 6
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_it_trains_in_bfloat16(norm):
    net = lean(norm)
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(torch.randn(2, 2, 8, 8), torch.randn(2, 2, 16, 16))
    logits.float().square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


@pytest.mark.parametrize("side", [4, 24, 60, 100])
def test_sides_that_do_not_end_at_four_are_refused(side):
    with pytest.raises(ValueError, match="power of two"):
        LocalGlobalDiscriminator(1, side, 64)


def test_too_few_widths_are_refused():
    with pytest.raises(ValueError, match="needs 3 widths"):
        LocalGlobalDiscriminator(1, 16, 32, (4, 4))
