import itertools

import pytest
import torch

from anomaly_gan.nets.lean_unet import LeanUNet
from anomaly_gan.nets.unet import UNet


def parameters(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def unet_formula(in_channels: int, out_channels: int, widths: list[int]) -> int:
    """4x4 kernels both ways without bias, except the last; batch norm (2 a channel) but at both ends."""
    chain = [in_channels, *widths]
    down = sum(16 * a * b for a, b in itertools.pairwise(chain)) + 2 * sum(widths[1:-1])
    inner_up = [16 * widths[-1] * widths[-2]] + [32 * widths[i] * widths[i - 1] for i in range(1, len(widths) - 1)]
    return down + sum(inner_up) + 2 * sum(widths[:-1]) + 32 * widths[0] * out_channels + out_channels


@pytest.mark.parametrize(
    ("depth", "width", "widths", "expected"),
    [
        (8, 64, [64, 128, 256, 512, 512, 512, 512, 512], 54_414_979),
        (6, 32, [32, 64, 128, 256, 256, 256], 7_315_267),
    ],
)
def test_the_unet_has_the_parameters_of_the_specification(depth, width, widths, expected):
    with torch.device("meta"):
        net = UNet(4, 3, depth, width)
    assert parameters(net) == unet_formula(4, 3, widths) == expected


def test_the_paper_unet_maps_512_pixels_to_512_pixels():
    with torch.device("meta"):
        fake = UNet(4, 3, 8, 64)(torch.empty(1, 4, 512, 512))
    assert fake.shape == (1, 3, 512, 512)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_the_unet_stays_in_its_range_and_every_weight_is_used(norm):
    torch.manual_seed(0)
    net = UNet(4, 3, 3, 4, norm=norm)
    fake = net(10 * torch.randn(2, 4, 16, 16))
    assert fake.abs().max() <= 1
    fake.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_limit_on_the_width_is_kept():
    net = UNet(1, 1, 4, 8, max_width=16)
    assert [down[1].out_channels for down in net.down] == [8, 16, 16, 16]


def test_a_skip_carries_every_scale():
    """With the bottleneck silenced the output still depends on single pixels: through the outermost skip."""
    torch.manual_seed(0)
    net = UNet(1, 1, 3, 4, norm="none")
    torch.nn.init.zeros_(net.down[1][1].weight)
    image = torch.randn(1, 1, 16, 16)
    moved = image.clone()
    moved[0, 0, 5, 5] += 1
    assert not torch.equal(net(image), net(moved))


@pytest.mark.parametrize("net", [UNet(1, 1, 3, 4), LeanUNet(1, 1, 8)], ids=["unet", "lean"])
def test_sides_that_cannot_be_halved_are_refused(net):
    with pytest.raises(ValueError, match="multiples of 8"):
        net(torch.zeros(1, 1, 16, 12))


def test_depths_that_make_no_unet_are_refused():
    with pytest.raises(ValueError, match="depth"):
        UNet(1, 1, 1, 4)
    with pytest.raises(ValueError, match="stages"):
        LeanUNet(1, 1, stages=5)


def test_the_lean_unet_is_small_and_starts_near_zero():
    torch.manual_seed(0)
    net = LeanUNet(4, 3)
    assert 0.5e6 < parameters(net) < 0.8e6
    residual = net(torch.rand(2, 4, 64, 64) * 2 - 1)
    assert residual.shape == (2, 3, 64, 64)
    assert residual.abs().mean() < 0.05


def test_an_image_of_the_lean_unet_knows_nothing_of_its_batch():
    torch.manual_seed(0)
    net = LeanUNet(2, 1, 8).train()
    images = torch.randn(3, 2, 16, 16)
    others = images.clone()
    others[1:] = 5
    torch.testing.assert_close(net(images)[0], net(others)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_the_lean_unet_runs_channels_last_in_bfloat16_and_trains_every_weight(stages):
    net = LeanUNet(2, 1, 8, stages=stages).to(memory_format=torch.channels_last)
    images = torch.randn(2, 2, 32, 32).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        residual = net(images)
    residual.float().square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())
