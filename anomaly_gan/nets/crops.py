"""Boxes of masks and square crops of them (Liu et al. 2023, section 4.2.1: X * M, bounding box, 64x64)."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def mask_boxes(mask_B1HW: torch.Tensor, margin: float = 0.0) -> torch.Tensor:
    """One box around all set pixels of each mask (nonzero = set): boxes_B4 = [x0, y0, x1, y1) in pixels, float32.

    ``margin`` widens each side by that share of the box's own width or height, inside the image. An empty mask has
    the whole image as its box. Nothing leaves the device.
    """
    height, width = mask_B1HW.shape[-2:]
    set_BHW = mask_B1HW[:, 0] != 0
    low, high = [], []
    for axis, side in ((1, width), (2, height)):
        hit = set_BHW.any(dim=axis)
        at = torch.arange(side, device=mask_B1HW.device, dtype=torch.float32).expand_as(hit)
        low.append(at.masked_fill(~hit, float(side)).amin(dim=1))
        high.append(at.masked_fill(~hit, -1.0).amax(dim=1) + 1)
    boxes = torch.stack([*low, *high], dim=1)
    limit = torch.tensor([width, height], device=boxes.device, dtype=torch.float32)
    spread = margin * (boxes[:, 2:] - boxes[:, :2])
    start = (boxes[:, :2] - spread).clamp(min=0)
    end = torch.minimum(boxes[:, 2:] + spread, limit)
    whole = torch.cat([torch.zeros_like(limit), limit]).expand_as(boxes)
    found = set_BHW.flatten(1).any(dim=1, keepdim=True)
    return torch.where(found, torch.cat([start, end], dim=1), whole)


def crop_resize(images_BCHW: torch.Tensor, boxes_xyxy_px: torch.Tensor, size: int) -> torch.Tensor:
    """Cut box b out of image b and resize it bilinearly to (B, C, size, size); differentiable in the images.

    The same as cutting and ``cv2.resize(..., INTER_LINEAR)``: pixel centres at halves, nothing outside the box
    enters. Coordinates and interpolation are float32 under any autocast (bfloat16 cannot count 512 pixels).
    """
    height, width = images_BCHW.shape[-2:]
    boxes = boxes_xyxy_px.float()
    steps = (torch.arange(size, device=boxes.device, dtype=torch.float32) + 0.5) / size

    def normalised(start: torch.Tensor, end: torch.Tensor, side: int) -> torch.Tensor:
        centre = start[:, None] + steps * (end - start)[:, None]
        centre = torch.minimum(torch.maximum(centre, start[:, None] + 0.5), end[:, None] - 0.5)
        return 2 * centre / side - 1

    x_BS = normalised(boxes[:, 0], boxes[:, 2], width)
    y_BS = normalised(boxes[:, 1], boxes[:, 3], height)
    # Built by hand: affine_grid multiplies matrices, which autocast would run in half precision.
    grid = torch.stack([x_BS[:, None, :].expand(-1, size, -1), y_BS[:, :, None].expand(-1, -1, size)], dim=-1)
    crops = F.grid_sample(images_BCHW.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return crops.to(images_BCHW.dtype)


def masked_crops(images_BCHW: torch.Tensor, mask_B1HW: torch.Tensor, size: int) -> torch.Tensor:
    """The paper's MF and MI: X * M, cut at the mask's box, resized to (B, C, size, size).

    ``mask_B1HW`` is in {0,1}. The background is 0, which is mid-grey for images in [-1,1].
    """
    return crop_resize(images_BCHW * mask_B1HW, mask_boxes(mask_B1HW), size)
