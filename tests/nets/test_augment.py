from dataclasses import replace

import numpy as np
import pytest
import torch

from anomaly_gan.nets.augment import AugmentDraw, AugmentPolicy, augment_pair, draw_augment


def still(batch: int) -> AugmentDraw:
    zeros = torch.zeros(batch, dtype=torch.long)
    return AugmentDraw(
        mirrored=zeros.bool(),
        turns=zeros,
        shift_px=torch.zeros(batch, 2, dtype=torch.long),
        brightness=torch.zeros(batch),
        cutout_at=torch.full((batch, 2), 0.5),
        cutout=0.0,
    )


def test_no_change_drawn_changes_nothing():
    images, masks = torch.randn(2, 3, 8, 8), torch.ones(2, 1, 8, 8)
    same = augment_pair(images, masks, still(2))
    assert torch.equal(same[0], images) and torch.equal(same[1], masks)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_mirror_and_quarter_turns_are_those_of_numpy(mirrored, turns):
    image = np.arange(25.0).reshape(5, 5)
    expected = np.rot90(image[:, ::-1] if mirrored else image, turns)
    draw = replace(still(1), mirrored=torch.tensor([mirrored]), turns=torch.tensor([turns]))
    tensor = torch.from_numpy(image)[None, None]
    moved, mask = augment_pair(tensor, tensor, draw)
    np.testing.assert_array_equal(moved[0, 0], expected)
    np.testing.assert_array_equal(mask[0, 0], expected)


def test_a_shift_moves_down_and_right_and_reflects_the_rim():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    moved, _ = augment_pair(image, image, replace(still(1), shift_px=torch.tensor([[1, 2]])))
    assert moved[0, 0].tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [5, 4, 4, 5], [9, 8, 8, 9]]


def test_image_and_mask_move_together_and_only_the_image_brightens():
    policy = AugmentPolicy(brightness=0.0, cutout=0.25)
    draw = draw_augment(16, 16, policy, torch.Generator().manual_seed(1))
    images = torch.randn(16, 1, 16, 16)
    moved, masks = augment_pair(images, images, draw)
    assert torch.equal(moved, masks)
    brighter, kept = augment_pair(images, images, replace(draw, brightness=torch.full((16,), 0.25), cutout=0.0))
    torch.testing.assert_close(brighter, kept + 0.25)


def test_chance_comes_from_the_generator_and_keeps_to_the_policy():
    policy = AugmentPolicy()
    first, again, other = (draw_augment(200, 64, policy, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.shift_px, again.shift_px) and not torch.equal(first.shift_px, other.shift_px)
    assert first.shift_px.abs().max() == 8 and first.brightness.abs().max() <= 0.05
    assert set(first.turns.tolist()) == {0, 1, 2, 3} and 60 < first.mirrored.sum() < 140
    off = AugmentPolicy(flip=False, rot90=False, translate=0.0, brightness=0.0)
    images = torch.randn(8, 1, 8, 8)
    assert torch.equal(
        augment_pair(images, images, draw_augment(8, 8, off, torch.Generator().manual_seed(0)))[0], images
    )


def test_gradients_flow_back_to_every_pixel_shown():
    images = torch.randn(2, 1, 8, 8, requires_grad=True)
    draw = draw_augment(2, 8, AugmentPolicy(translate=0.0), torch.Generator().manual_seed(0))
    augment_pair(images, torch.ones(2, 1, 8, 8), draw)[0].sum().backward()
    assert torch.equal(images.grad, torch.ones_like(images))


def test_oblong_images_are_refused():
    with pytest.raises(ValueError, match="square"):
        augment_pair(torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 4, 6), still(1))
