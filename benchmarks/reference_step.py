"""One training step of the paper's Anomaly-GAN, written as one writes it first: the other side of train_step.py.

The same equations (Liu et al. 2023, eq. 1 to 8), the same nets, the same numbers, but float32
and channels first, every discriminator a step of its own on images made anew for it, nothing frozen in the
generators' step, and every loss fetched where it is computed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomaly_gan.nets.crops import mask_boxes
from anomaly_gan.synthesis.pairs.windows import Batch

LAMBDA_1 = 0.3
SIDES = ("abnormal", "normal")


def masked_crop(images_BCHW: Tensor, mask_B1HW: Tensor, size: int) -> Tensor:
    """Image by image: X * M, cut at the box of M, resized."""
    crops = []
    for image, box in zip(images_BCHW * mask_B1HW, mask_boxes(mask_B1HW), strict=True):
        x0, y0, x1, y1 = (int(value) for value in box)
        crops.append(
            F.interpolate(image[None, :, y0:y1, x0:x1], size=(size, size), mode="bilinear", align_corners=False)
        )
    return torch.cat(crops)


def judge(net: nn.Module, images: Tensor, mask: Tensor, size: int) -> Tensor:
    return net(masked_crop(images, mask, size), images)


def aware_loss(net: nn.Module, fake: Tensor, fake_mask: Tensor, real: Tensor, real_mask: Tensor, size: int) -> Tensor:
    """Eq. 1 and 7: the mean absolute difference of the features, tap by tap."""
    taps = net(masked_crop(fake, fake_mask, size))
    wanted = net(masked_crop(real, real_mask, size))
    return sum(((a - b).abs().mean() for a, b in zip(taps, wanted, strict=True)), torch.zeros(()))


def bce(logits: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def reference_step(
    nets: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    batch: Batch,
    local_size: int,
    aware_size: int,
) -> dict[str, float]:
    """Both generators and the four discriminators take one step; returns every loss."""
    g, h = nets["generator"], nets["restorer"]
    normal, mask, abnormal, own = (
        batch.normal_BCHW,
        batch.normal_mask_B1HW,
        batch.abnormal_BCHW,
        batch.abnormal_mask_B1HW,
    )

    def damage(images: Tensor, with_mask: Tensor) -> Tensor:
        return g(torch.cat([images, with_mask], dim=1))

    def restore(images: Tensor, with_mask: Tensor) -> Tensor:
        return h(torch.cat([images, with_mask], dim=1))

    fakes = {"abnormal": damage(normal, mask), "normal": restore(abnormal, own)}
    masks = {"abnormal": (own, mask), "normal": (mask, own)}
    real = {"abnormal": abnormal, "normal": normal}
    losses: dict[str, Tensor] = {}
    for side in SIDES:
        fake, (real_mask, fake_mask) = fakes[side], masks[side]
        losses[f"adv1_{side}"] = bce(judge(nets[f"d1_{side}"], fake, fake_mask, local_size), True)
        losses[f"adv2_{side}"] = LAMBDA_1 * bce(judge(nets[f"d2_{side}"], fake, fake_mask, local_size), False)
        losses[f"aware_{side}"] = aware_loss(nets["aware"], fake, fake_mask, real[side], real_mask, aware_size)
    losses["cycle_normal"] = (restore(fakes["abnormal"], mask) - normal).abs().mean()
    losses["cycle_abnormal"] = (damage(fakes["normal"], own) - abnormal).abs().mean()
    values = {name: loss.item() for name, loss in losses.items()}
    optimizers["generators"].zero_grad()
    sum(losses.values(), torch.zeros(())).backward()

    for name in ("d1_abnormal", "d2_abnormal", "d1_normal", "d2_normal"):
        nets[name].zero_grad()  # the generators' step has left gradients here
        side = name[3:]
        real_mask, fake_mask = masks[side]
        with torch.no_grad():
            fake = damage(normal, mask) if side == "abnormal" else restore(abnormal, own)
        loss = bce(judge(nets[name], real[side], real_mask, local_size), name.startswith("d1")) + bce(
            judge(nets[name], fake, fake_mask, local_size), name.startswith("d2")
        )
        values[name] = loss.item()
        loss.backward()
    optimizers["discriminators"].step()
    optimizers["generators"].step()
    return values
