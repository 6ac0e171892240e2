"""Defect crops: square, native pixels, around the defect, also at borders and in narrow photographs."""

import numpy as np
import pytest

from anomaly_gan.metrics.crops import defect_crop, masked_crop


@pytest.mark.parametrize("box", [(40, 40, 20, 10), (0, 0, 5, 5), (95, 90, 5, 10), (0, 0, 100, 3), (50, 50, 1, 1)])
@pytest.mark.parametrize("shape", [(100, 100), (100, 100, 3)])
def test_the_crop_is_square_and_holds_the_whole_defect(box, shape):
    x, y, width, height = box
    mask = np.zeros(shape[:2], np.uint8)
    mask[y : y + height, x : x + width] = 1
    pixels = np.zeros(shape, np.uint8)
    pixels[y : y + height, x : x + width] = 200
    crop = defect_crop(pixels, mask)
    assert crop.shape[0] == crop.shape[1] >= 32 and crop.shape[2:] == shape[2:]
    assert np.count_nonzero(crop) >= np.count_nonzero(pixels)


def test_a_defect_longer_than_the_photograph_is_wide_is_filled_by_reflection():
    pixels = np.arange(20, dtype=np.uint8)[None].repeat(200, axis=0)
    mask = np.zeros((200, 20), np.uint8)
    mask[50:110, 5:9] = 1
    crop = defect_crop(pixels, mask)
    assert crop.shape == (60, 60)
    assert set(np.unique(crop)) <= set(range(20))


def test_the_margin_shrinks_before_anything_is_reflected():
    mask = np.zeros((90, 40), np.uint8)
    mask[40:70, 10:20] = 1
    assert defect_crop(np.zeros((90, 40), np.uint8), mask, margin=1.0).shape == (40, 40)


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="empty mask"):
        defect_crop(np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8))


@pytest.mark.parametrize("colour", [False, True])
def test_a_masked_crop_shows_nothing_of_the_surroundings(colour):
    rng = np.random.default_rng(0)
    shape = (50, 60, 3) if colour else (50, 60)
    pixels = rng.integers(0, 100, shape, dtype=np.uint8)
    mask = np.zeros((50, 60), np.uint8)
    mask[10:30, 20:55] = 1
    pixels[mask != 0] += 150
    crop = masked_crop(pixels, mask)
    assert crop.min() >= 150
    other = pixels.copy()
    other[mask == 0] = 7
    assert np.array_equal(crop, masked_crop(other, mask))
