import itertools

import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from anomaly_gan.nets.aware import IMAGENET_MEAN, IMAGENET_STD, AwareClassifier, AwareNet, freeze


def test_the_paper_network_has_1_74_million_parameters():
    chain = [3, 64, 64, 128, 128, 256, 256, 256]
    by_hand = sum(9 * a * b + b for a, b in itertools.pairwise(chain))
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in AwareNet().parameters())
    assert count == by_hand == 1_735_488


def test_its_taps_have_the_sizes_of_relu_2_5_and_7():
    with torch.device("meta"):
        taps = AwareNet()(torch.empty(2, 3, 64, 64))
    assert [tuple(tap.shape) for tap in taps] == [(2, 64, 64, 64), (2, 256, 16, 16), (2, 256, 16, 16)]


def test_with_vgg_weights_its_taps_are_those_of_vgg16():
    """relu1_2, relu3_1 and relu3_3 of torchvision's own layers on an ImageNet-normalised picture."""
    torch.manual_seed(0)
    vgg = make_layers(cfgs["D"][:10])
    net = freeze(AwareNet())
    net.load_vgg16({f"features.{name}": value for name, value in vgg.state_dict().items()})
    picture_01 = torch.rand(1, 3, 32, 32)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    expected, features = [], (picture_01 - mean) / std
    with torch.no_grad():
        for position, layer in enumerate(vgg):
            features = layer(features)
            if position in (3, 11, 15):
                expected.append(features.clone())
        taps = net(2 * picture_01 - 1)
    for ours, theirs in zip(taps, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_weights_that_do_not_fit_are_refused():
    weights = {f"features.{name}": value for name, value in make_layers(cfgs["D"][:10]).state_dict().items()}
    with pytest.raises(ValueError, match="this net"):
        AwareNet(width=8).load_vgg16(weights)
    del weights["features.14.bias"]
    with pytest.raises(ValueError, match=r"features\.14\.bias"):
        AwareNet().load_vgg16(weights)


def test_a_frozen_net_keeps_its_weights_but_hands_gradients_to_its_input():
    net = freeze(torch.nn.Sequential(AwareNet(1, 2), torch.nn.Identity()))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    crops = torch.randn(1, 1, 16, 16, requires_grad=True)
    net(crops)[-1].sum().backward()
    assert crops.grad is not None and crops.grad.any()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert not net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_the_classifier_trains_the_net_it_wraps():
    torch.manual_seed(0)
    net = AwareNet(1, 4)
    classifier = AwareClassifier(net, classes=2)
    dark_and_bright = torch.stack([torch.full((1, 16, 16), value) for value in (-0.8, 0.8)])
    optimizer = torch.optim.Adam(classifier.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(classifier(dark_and_bright), torch.tensor([0, 1])).backward()
        optimizer.step()
    assert classifier(dark_and_bright).argmax(1).tolist() == [0, 1]
    assert net.convs[0].weight.grad is not None
