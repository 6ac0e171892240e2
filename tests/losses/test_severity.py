"""Severity: two numbers of a picture, worked out by hand here."""

import math

import pytest
import torch

from anomaly_gan.losses.aware import semantic_moments
from anomaly_gan.losses.severity import FLOOR, at_severity, reachable, severity


def picture(inside: float, around: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A 3x3 defect of intensity ``inside`` on a ground of ``around`` (both 0..1), as image in [-1,1] and mask."""
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 8:11, 8:11] = 1
    return (around + (inside - around) * mask) * 2 - 1, mask


def test_the_ratio_is_the_logarithm_of_the_two_mean_intensities():
    ratio, spread = severity(*picture(0.2, 0.6))[0].tolist()
    assert ratio == pytest.approx(math.log((0.2 + FLOOR) / (0.6 + FLOOR)), abs=1e-5)
    assert spread == pytest.approx(0.0, abs=1e-3)


def test_the_spread_is_the_standard_deviation_inside():
    image, mask = picture(0.5, 0.5)
    image[..., 8:11, 8] += 0.6  # three of nine pixels brighter by 0.3
    values = [0.8] * 3 + [0.5] * 6
    mean = sum(values) / 9
    expected = math.sqrt(sum((value - mean) ** 2 for value in values) / 9)
    assert severity(image, mask)[0, 1].item() == pytest.approx(expected, abs=1e-5)


def test_an_empty_mask_has_no_severity():
    image, mask = picture(0.1, 0.9)
    assert severity(image, mask * 0).tolist() == [[0.0, 0.0]]


def test_a_target_beyond_black_and_white_is_brought_back():
    image, mask = picture(0.5, 0.9)
    low, high = (reachable(torch.tensor([[value, 0.1]]), image, mask)[0, 0].item() for value in (-9.0, 9.0))
    assert low == pytest.approx(math.log((0.02 + FLOOR) / (0.9 + FLOOR)), abs=1e-5)
    assert high == pytest.approx(math.log((0.97 + FLOOR) / (0.9 + FLOOR)), abs=1e-5)


def test_moments_ignore_place_but_not_strength():
    taps = [torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))]
    moved = [taps[0].flip(3)]
    assert semantic_moments(taps, moved).item() == pytest.approx(0.0, abs=1e-6)
    # adding 0.5 everywhere moves each mean by 0.5 and no spread
    assert semantic_moments(taps, [taps[0] + 0.5]).item() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_under_a_mask_is_brought_to_a_severity(channels):
    generator = torch.Generator().manual_seed(3)
    masks = torch.zeros(4, 1, 32, 32)
    masks[:, :, 8:20, 10:22] = 1
    images = 0.1 * torch.rand(4, channels, 32, 32, generator=generator) - 0.5 * masks
    target = torch.tensor([[-0.3, 0.02], [0.2, 0.015], [0.0, 0.02], [-0.1, 0.001]])
    changed = at_severity(images, masks, target)
    far = 1 - torch.nn.functional.max_pool2d(masks, 7, 1, 3)
    assert torch.equal(changed * far, images * far)
    shown = severity(changed, masks)
    assert torch.allclose(shown[:, 0], target[:, 0], atol=0.02), "the ring moves a little with it"
    assert torch.allclose(shown[:3, 1], target[:3, 1], rtol=0.01)
    assert shown[3, 1] == pytest.approx(severity(images, masks)[3, 1].item() / 3, rel=0.01), "no flat patch"
    nothing = at_severity(images, torch.zeros_like(masks), target)
    assert torch.equal(nothing, images)


def test_a_rim_beyond_the_mask_goes_along_with_the_defect():
    image, mask = picture(0.2, 0.6)
    image[..., 7, 8:11] = 2 * 0.2 - 1  # the defect reaches a pixel further than its mask
    faint = (at_severity(image, mask, torch.tensor([[0.0, 0.0]])) + 1) / 2
    assert faint[..., 7, 8:11].min() > 0.5 and faint[..., 8:11, 8:11].min() > 0.5
    assert faint[..., 12, 8:11].tolist() == [[[pytest.approx(0.6, abs=1e-6)] * 3]], "ground stays ground"
