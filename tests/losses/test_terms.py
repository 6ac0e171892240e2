import math

import pytest
import torch

from anomaly_gan.losses.adversarial import bce_g, bce_g2
from anomaly_gan.losses.aware import semantic_difference
from anomaly_gan.losses.cycle import cycle_l1
from anomaly_gan.losses.mode_seeking import mode_seeking
from anomaly_gan.losses.segmentation import mask_error
from anomaly_gan.synthesis.methods.config import TrainConfig


def test_the_semantic_difference_is_a_sum_over_taps_of_means():
    taps_a = [torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.zeros(1, 1, 2, 2)]
    taps_b = [torch.tensor([4.0, 1.0]).view(1, 2, 1, 1), torch.tensor([0.0, 0.0, 2.0, -4.0]).view(1, 1, 2, 2)]
    assert semantic_difference(taps_a, taps_b).item() == pytest.approx((3 + 1) / 2 + (2 + 4) / 4)
    assert semantic_difference(taps_a, taps_b, "l2").item() == pytest.approx((9 + 1) / 2 + (4 + 16) / 4)


def test_the_semantic_difference_is_never_negative_and_symmetric():
    a, b = [torch.randn(2, 3, 4, 4)], [torch.randn(2, 3, 4, 4)]
    assert semantic_difference(a, b) == semantic_difference(b, a) > 0
    assert semantic_difference(a, a) == 0


def test_the_semantic_difference_refuses_what_it_does_not_know():
    taps = [torch.zeros(1, 1, 2, 2)] * 3
    with pytest.raises(ValueError, match="kind"):
        semantic_difference(taps, taps, "l3")
    with pytest.raises(ValueError, match="shorter"):
        semantic_difference(taps, taps[:2])


def test_the_cycle_term_is_a_mean_and_a_weight_map_averages():
    x, back = torch.zeros(1, 2, 1, 2), torch.tensor([1.0, -3.0, 0.0, 4.0]).view(1, 2, 1, 2)
    assert cycle_l1(x, back).item() == 2
    assert cycle_l1(x, back, torch.full((1, 1, 1, 2), 5.0)).item() == pytest.approx(2)
    assert cycle_l1(x, back, torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)).item() == pytest.approx((3 * 1 + 7) / 8)


def test_mode_seeking_punishes_one_image_for_two_codes():
    z1, z2 = torch.zeros(2, 4), torch.ones(2, 4)
    x = torch.zeros(2, 1, 2, 2)
    apart = mode_seeking(z1, z2, x, x + torch.tensor([0.5, 0.25]).view(2, 1, 1, 1), epsilon=0.0)
    assert apart.item() == pytest.approx((2 + 4) / 2)
    assert mode_seeking(z1, z2, x, x) > 1000


def test_the_full_objective_is_equation_8():
    """The paper's weights on its printed terms, worked out by hand; CycleGAN's cycle weight is ten times that."""
    paper, tenfold = TrainConfig(preset="paper").recipe, TrainConfig(preset="paper_cycle10").recipe
    logits = {"abnormal": torch.tensor([0.25, -3.0]), "normal": torch.tensor([1.0, 0.0])}
    total = sum(
        bce_g(side) + paper.lambda_1 * bce_g2(side) + paper.cycle * 0.2 + paper.aware * 0.5 for side in logits.values()
    )
    by_hand = 0.0
    for side in logits.values():
        for logit in side.tolist():
            d = 1 / (1 + math.exp(-logit))
            by_hand += (-math.log(d) - 0.3 * math.log(1 - d)) / 2
        by_hand += 0.2 + 0.5
    assert float(total) == pytest.approx(by_hand, rel=1e-5)
    assert tenfold.cycle == 10 * paper.cycle and tenfold.lambda_1 == 0.3


def test_the_error_of_a_mask_by_hand():
    logits = torch.tensor([[math.log(3), -math.log(3)], [0.0, 0.0]]).view(2, 1, 1, 2)
    cross_entropy, dice = mask_error(logits, torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(2, 1, 1, 2))
    assert cross_entropy.item() == pytest.approx((-math.log(0.75) * 2 + math.log(2) * 2) / 4)
    assert dice.item() == pytest.approx(((1 - 2.5 / 3) + (1 - 1 / 2)) / 2)
    none = mask_error(torch.full((1, 1, 2, 2), -40.0), torch.zeros(1, 1, 2, 2))
    assert float(sum(none)) == pytest.approx(0, abs=1e-6)
