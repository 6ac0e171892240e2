import pytest
import torch
from scipy import ndimage

from anomaly_gan.nets.composite import composite, feather


def blob() -> torch.Tensor:
    mask = torch.zeros(1, 1, 40, 40)
    mask[0, 0, 10:20, 12:30] = 1
    mask[0, 0, 30, 5:25] = 1
    mask[0, 0, 0:3, 37:40] = 1
    return mask


@pytest.mark.parametrize(("support", "softness"), [(0, 0), (3, 0), (4, 2), (5, 1), (4, 4)])
def test_alpha_is_exactly_zero_beyond_its_support_and_nowhere_else(support, softness):
    alpha = feather(blob(), support, softness)[0, 0].numpy()
    square = [[True] * (2 * support + 1)] * (2 * support + 1)
    reached = ndimage.binary_dilation(blob()[0, 0].numpy(), square)
    assert ((alpha > 0) == reached).all()
    assert alpha.max() <= 1


@pytest.mark.parametrize(("support", "softness"), [(0, 0), (2, 1), (4, 2), (5, 1)])
def test_alpha_is_one_on_the_whole_mask_even_where_it_is_one_pixel_thin(support, softness):
    assert (feather(blob(), support, softness)[blob() == 1] == 1).all()


def test_a_soft_rim_falls_linearly():
    mask = torch.zeros(1, 1, 21, 21)
    mask[:, :, :, :10] = 1
    row = feather(mask, 4, 2)[0, 0, 10, 9:15]
    torch.testing.assert_close(row, torch.tensor([1, 0.8, 0.6, 0.4, 0.2, 0.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("support", "softness"), [(2, 3), (2, -1)])
def test_a_rim_that_would_be_cut_is_refused(support, softness):
    with pytest.raises(ValueError, match="softness_px"):
        feather(blob(), support, softness)


def test_the_photograph_is_untouched_bit_for_bit_where_alpha_is_zero():
    generator = torch.Generator().manual_seed(0)
    x, generated = (torch.randn(1, 3, 40, 40, generator=generator) for _ in range(2))
    alpha = feather(blob(), 4, 2)
    generated = generated.masked_fill(alpha == 0, float("nan"))
    mixed = composite(x, generated, alpha)
    assert torch.equal(mixed[(alpha == 0).expand_as(x)], x[(alpha == 0).expand_as(x)])
    assert torch.equal(mixed[(alpha == 1).expand_as(x)], generated[(alpha == 1).expand_as(x)])
    half = torch.full_like(alpha, 0.5)
    torch.testing.assert_close(composite(x, x + 1, half), x + 0.5)


def test_a_half_precision_generator_does_not_round_the_photograph():
    x = torch.rand(1, 1, 4, 4)
    mixed = composite(x, torch.zeros(1, 1, 4, 4, dtype=torch.bfloat16), torch.zeros(1, 1, 4, 4))
    assert torch.equal(mixed, x)


def test_gradients_reach_the_generator_through_alpha_alone():
    alpha = feather(blob(), 2, 1)
    generated = torch.randn(1, 3, 40, 40, requires_grad=True)
    composite(torch.randn(1, 3, 40, 40), generated, alpha).sum().backward()
    torch.testing.assert_close(generated.grad, alpha.expand(1, 3, 40, 40))
