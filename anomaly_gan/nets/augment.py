"""Differentiable augmentation of image and mask together, its chance drawn in advance from an explicit generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class AugmentPolicy:
    """What may happen: ``translate`` and ``cutout`` in shares of the side, ``brightness`` in units of [-1,1] images.

    ``chance``: the share of images to which anything happens. Below 1 a generator whose pictures were all turned
    would still be told from the real ones (Karras et al. 2020, "Training GANs with limited data", section 2.2).
    """

    flip: bool = True
    rot90: bool = True
    translate: float = 0.125
    brightness: float = 0.05
    cutout: float = 0.0
    chance: float = 1.0


@dataclass(frozen=True)
class AugmentDraw:
    """What happens to each of B images: mirror, quarter turns, shift (y, x), offset, cutout centre (y, x) in [0,1).

    A centre of -1 lies so far outside that nothing is cut out.
    """

    mirrored: torch.Tensor
    turns: torch.Tensor
    shift_px: torch.Tensor
    brightness: torch.Tensor
    cutout_at: torch.Tensor
    cutout: float


def draw_augment(
    batch: int,
    side: int,
    policy: AugmentPolicy,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> AugmentDraw:
    """Draw for ``batch`` images of ``side`` pixels; the policy does not change how much chance is used up.

    Without a ``generator`` the chance is that of torch's own stream on ``device``, which the training loop seeds
    anew at every step.
    """
    where = generator.device if generator is not None else device
    uniform = torch.rand(batch, 8, generator=generator, device=where)
    reach = int(policy.translate * side)
    happens = uniform[:, 7] < policy.chance
    return AugmentDraw(
        mirrored=(uniform[:, 0] < 0.5) & happens & policy.flip,
        turns=(uniform[:, 1] * 4).long() * happens * int(policy.rot90),
        shift_px=((uniform[:, 2:4] * (2 * reach + 1)).long() - reach) * happens[:, None],
        brightness=(2 * uniform[:, 4] - 1) * policy.brightness * happens,
        cutout_at=torch.where(happens[:, None], uniform[:, 5:7], -1.0),
        cutout=policy.cutout,
    )


def _reflect(index: torch.Tensor, side: int) -> torch.Tensor:
    period = index.remainder(2 * side)
    return torch.where(period < side, period, 2 * side - 1 - period)


def _source(draw: AugmentDraw, side: int, device: torch.device) -> torch.Tensor:
    """For each target pixel the flat index (B, side*side) of the pixel it comes from."""
    at = torch.arange(side, device=device)
    shift = draw.shift_px.to(device)
    y = _reflect(at[None, :, None] - shift[:, 0, None, None], side)
    x = _reflect(at[None, None, :] - shift[:, 1, None, None], side)
    turns = draw.turns.to(device)[:, None, None]
    last = side - 1
    y, x = torch.broadcast_tensors(y, x)
    quarter_y, quarter_x = torch.where(turns % 2 == 1, x, y), torch.where(turns % 2 == 1, last - y, x)
    y, x = torch.where(turns >= 2, last - quarter_y, quarter_y), torch.where(turns >= 2, last - quarter_x, quarter_x)
    x = torch.where(draw.mirrored.to(device)[:, None, None], last - x, x)
    return (y * side + x).flatten(1)


def augment_pair(
    images_BCHW: torch.Tensor, masks_B1HW: torch.Tensor, draw: AugmentDraw
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move image and mask by the same exact pixel permutation (mirror, quarter turn, shift with reflected rim).

    Brightness is added to the images alone. Cutout sets a square of both to 0. Differentiable in both.

    Raises:
        ValueError: the images are not square.
    """
    height, width = images_BCHW.shape[-2:]
    if height != width:
        raise ValueError(f"quarter turns need square images, got {height}x{width}")
    index = _source(draw, height, images_BCHW.device)[:, None, :]

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.flatten(2).gather(2, index.expand(-1, tensor.shape[1], -1)).view_as(tensor)

    offset = draw.brightness.to(images_BCHW)[:, None, None, None]
    images, masks = moved(images_BCHW) + offset, moved(masks_B1HW)
    if draw.cutout:
        at = (torch.arange(height, device=images.device) + 0.5) / height
        centre = draw.cutout_at.to(at)
        near = (at[None, None, :] - centre[:, :, None]).abs() < draw.cutout / 2
        keep = ~(near[:, 0, :, None] & near[:, 1, None, :])[:, None]
        images, masks = images * keep, masks * keep
    return images, masks
