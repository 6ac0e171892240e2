import cv2
import numpy as np
import pytest
import torch

from anomaly_gan.nets.crops import crop_resize, mask_boxes, masked_crops


def masks() -> torch.Tensor:
    mask = torch.zeros(4, 1, 20, 30)
    mask[0, 0, 4:9, 11:12] = 1
    mask[1, 0, 0, 0] = mask[1, 0, 19, 29] = 1
    mask[2, 0, 2:4, 3:6] = mask[2, 0, 10:12, 20:25] = 1
    return mask


def test_one_box_holds_all_components_and_an_empty_mask_is_the_whole_image():
    assert mask_boxes(masks()).tolist() == [[11, 4, 12, 9], [0, 0, 30, 20], [3, 2, 25, 12], [0, 0, 30, 20]]


def test_the_margin_is_a_share_of_the_box_and_stops_at_the_rim():
    assert mask_boxes(masks(), margin=0.5)[[0, 2]].tolist() == [[10.5, 1.5, 12.5, 11.5], [0, 0, 30, 17]]


@pytest.mark.parametrize("size", [5, 16, 64])
def test_a_crop_is_what_opencv_cuts_and_resizes(size):
    pixels = np.random.default_rng(0).normal(size=(20, 30, 3)).astype(np.float32)
    x0, y0, x1, y1 = 3, 2, 25, 12
    expected = cv2.resize(pixels[y0:y1, x0:x1], (size, size), interpolation=cv2.INTER_LINEAR)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    crop = crop_resize(images, torch.tensor([[x0, y0, x1, y1]]), size)[0].permute(1, 2, 0)
    np.testing.assert_allclose(crop.numpy(), expected, atol=2e-5)


def test_boxes_and_images_of_a_batch_stay_together():
    images = torch.randn(4, 2, 20, 30)
    boxes = mask_boxes(masks())
    alone = [crop_resize(images[i : i + 1], boxes[i : i + 1], 8) for i in range(4)]
    torch.testing.assert_close(crop_resize(images, boxes, 8), torch.cat(alone))


def test_nothing_outside_the_box_enters_a_crop():
    images = torch.full((1, 1, 20, 30), 100.0)
    images[:, :, 4:9, 11:16] = 1
    assert torch.equal(crop_resize(images, torch.tensor([[11, 4, 16, 9]]), 32), torch.ones(1, 1, 32, 32))


def test_coordinates_do_not_suffer_under_autocast():
    images = torch.arange(512.0).expand(1, 1, 512, 512)
    box = torch.tensor([[301.0, 10.0, 309.0, 18.0]])
    with torch.autocast("cpu", torch.bfloat16):
        crop = crop_resize(images, box, 8)
    torch.testing.assert_close(crop[0, 0, 0], torch.arange(301.0, 309.0), rtol=0, atol=1e-3)


def test_half_precision_images_keep_their_type():
    assert crop_resize(torch.zeros(1, 1, 8, 8, dtype=torch.bfloat16), torch.tensor([[0, 0, 8, 8]]), 4).dtype == (
        torch.bfloat16
    )


def test_masked_crops_hold_the_foreground_alone():
    mask = torch.zeros(1, 1, 16, 16)
    mask[0, 0, 4:8, 4:8] = 1
    mask[0, 0, 4, 4] = 0
    crop = masked_crops(torch.full((1, 3, 16, 16), 0.5), mask, 4)
    assert crop[0, :, 0, 0].tolist() == [0, 0, 0]
    assert crop.sum().item() == pytest.approx(3 * 15 * 0.5)


def test_gradients_reach_the_pixels_of_the_mask_and_no_others():
    images = torch.randn(4, 1, 20, 30, requires_grad=True)
    masked_crops(images, masks(), 40).sum().backward()
    assert images.grad is not None
    assert torch.equal(images.grad != 0, masks() != 0)
