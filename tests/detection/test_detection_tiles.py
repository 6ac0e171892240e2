"""Photographs larger than what a net sees: every pixel is looked at, at its own scale, and nothing is found twice."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from anomaly_gan.core.seeding import rng_for
from detection.data import Example, cut_tile
from detection.dense.instances import Found
from detection.detectors.config import COCO_ANCHORS, DetectConfig
from detection.detectors.models.mask_rcnn import _coco_mask_rcnn
from detection.evaluation.reading import inspect_pixels
from detection.evaluation.stitching import stitched
from detection.tiles import Window, blended, windows
from detection.training.schedule import tenths


@pytest.mark.parametrize(("height", "width"), [(100, 90), (256, 256), (300, 900), (257, 700)])
def test_windows_cover_every_pixel_and_overlap(height: int, width: int) -> None:
    seen = np.zeros((height, width), int)
    parts = windows(height, width, 256, 64)
    for part in parts:
        assert part.y >= 0 and part.x >= 0 and part.y + part.height <= height and part.x + part.width <= width
        seen[part.y : part.y + part.height, part.x : part.x + part.width] += 1
    assert seen.min() == 1
    across = sorted({part.x for part in parts})
    assert all(second - first <= 256 - 64 for first, second in itertools.pairwise(across))


def test_blended_windows_give_back_what_does_not_depend_on_the_window() -> None:
    pixels = rng_for(0).random((300, 470, 1)).astype(np.float32)
    whole = blended(pixels, 1, 128, 32, lambda part: part.transpose(2, 0, 1).copy())
    assert np.allclose(whole[0], pixels[..., 0], atol=1e-6)


def test_halves_of_one_instance_become_one_and_neighbours_stay_two() -> None:
    left, right = Window(0, 0, 100, 100), Window(0, 75, 100, 100)
    halves = [
        (Found(1, 0.9, 40, 10, np.ones((5, 60), np.uint8)), left),
        (Found(1, 0.7, 75, 10, np.ones((5, 60), np.uint8)), right),
    ]
    (whole,) = stitched(halves)
    assert (whole.x, whole.bitmap_01.shape, whole.score) == (40, (5, 95), 0.9)
    apart = [*halves[:1], (Found(1, 0.7, 80, 30, np.ones((5, 20), np.uint8)), right)]
    assert len(stitched(apart)) == 2
    other = [*halves[:1], (Found(2, 0.7, 75, 10, np.ones((5, 60), np.uint8)), right)]
    assert len(stitched(other)) == 2


class BrightParts(nn.Module):
    """Finds what is brighter than 200 in a tile of 64 px; refuses any other size."""

    native_tile = 64

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        (image,) = images
        assert image.shape == (3, 64, 64)
        mask = (image[0] > 0.78).float()
        count = int(mask.any())
        return [
            {
                "boxes": torch.zeros(count, 4),
                "labels": torch.ones(count, dtype=torch.int64),
                "scores": torch.ones(count),
                "masks": mask[None, None].repeat(count, 1, 1, 1),
            }
        ]


@pytest.mark.parametrize("size", [(40, 50), (64, 64), (150, 200)])
def test_a_detector_of_tiles_finds_a_bar_across_tiles_once(size: tuple[int, int]) -> None:
    pixels = np.full(size, 60, np.uint8)
    pixels[20:24, 5 : size[1] - 5] = 250
    (found,) = inspect_pixels(BrightParts(), pixels, 64, torch.device("cpu")).found
    assert (found.x, found.y, found.bitmap_01.shape) == (5, 20, (4, size[1] - 10))


def test_a_tile_is_at_the_photographs_scale_and_shows_an_instance() -> None:
    pixels = np.arange(300 * 200, dtype=np.uint32).reshape(300, 200).astype(np.uint8)
    mask = np.zeros_like(pixels)
    mask[250:260, 150:160] = 1
    for number in range(20):
        tile = cut_tile(Example(pixels, [mask], [2], "real"), 128, rng_for(number))
        assert tile.pixels.shape == (128, 128) and tile.labels == [2] and tile.masks[0].any()
        ys, xs = np.nonzero(tile.masks[0])
        assert tile.pixels[ys[0], xs[0]] == pixels[250, 150] or tile.masks[0].sum() < 100
    small = cut_tile(Example(pixels[:50, :40], [], [], "real"), 128, rng_for(0))
    assert np.array_equal(small.pixels[:50, :40], pixels[:50, :40]) and not small.pixels[50:].any()


def test_the_papers_schedule_drops_the_rate_to_a_tenth_twice() -> None:
    rate = tenths(5000, 100)
    assert [rate(step) for step in (0, 100, 1999, 2000, 3999, 4000, 4999)] == pytest.approx(
        [1 / 101, 1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_the_coco_start_keeps_its_anchors_and_begins_its_masks_at_a_coin_toss() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    state = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    net = _coco_mask_rcnn(2, DetectConfig(detector="mask_rcnn"), state)
    assert tuple(size for (size,) in net.rpn.anchor_generator.sizes) == COCO_ANCHORS
    logits = net.roi_heads.mask_predictor(torch.rand(1, 256, 14, 14, generator=torch.Generator().manual_seed(0)))
    assert float(logits.detach().abs().max()) < 0.2
