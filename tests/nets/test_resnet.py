import pytest
import torch

from anomaly_gan.nets.resnet import ReflectConv2d, ResNetGenerator


def test_the_net_has_the_size_of_the_released_checkpoint():
    with torch.device("meta"):
        net = ResNetGenerator(4, 3)
    assert sum(parameter.numel() for parameter in net.parameters()) == 11_391_811
    floats = sum(tensor.numel() for tensor in net.state_dict().values() if tensor.is_floating_point())
    assert round(4 * floats / 2**20, 2) == 43.50  # the "Param" column of Table 2 is this file's size in MiB


def test_it_maps_512_pixels_to_512_pixels():
    with torch.no_grad():
        fake = ResNetGenerator(4, 3, base_width=4, blocks=1)(torch.zeros(1, 4, 512, 512))
    assert fake.shape == (1, 3, 512, 512)


def test_mixed_precision_mirrors_the_border_without_a_detour_through_float32():
    torch.manual_seed(0)
    layer = ReflectConv2d(3, 5, 3)
    plain = torch.nn.Conv2d(3, 5, 3, padding=1, padding_mode="reflect")
    plain.load_state_dict(layer.state_dict())
    image = torch.randn(2, 3, 8, 8)
    assert torch.equal(layer(image), plain(image))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(image.bfloat16()), plain(image.bfloat16()))


def test_odd_sides_are_refused():
    with pytest.raises(ValueError, match="multiples of 4"):
        ResNetGenerator(2, 1, base_width=4, blocks=1)(torch.zeros(1, 2, 18, 16))
    with pytest.raises(ValueError, match="at least one block"):
        ResNetGenerator(2, 1, blocks=0)
